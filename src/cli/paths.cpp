#include "cli/paths.h"

#include <cstdlib>

#include "base/error.h"

namespace kylin::cli {
namespace {

std::filesystem::path program_folder() { return std::filesystem::read_symlink("/proc/self/exe").parent_path(); }

}  // namespace

std::filesystem::path demo_model() {
    if (const char* path = std::getenv("KYLIN_DEMO")) return path;
    const auto folder = program_folder();
    for (const auto& path : {folder / "../../../demo/kylin-demo-f16.gguf", folder / "../share/kylin/kylin-demo-f16.gguf"})
        if (std::filesystem::exists(path)) return path.lexically_normal();
    throw InputError("demo model", "not found beside the program; name a model with --model, or set KYLIN_DEMO");
}

std::filesystem::path reference_program(const std::string& name) {
    const char* folder = std::getenv("KYLIN_REFERENCE");
    const auto path = (folder ? std::filesystem::path(folder) : program_folder()) / name;
    if (!std::filesystem::exists(path))
        throw InputError(name, "not found in " + path.parent_path().string() + "; scripts/test builds it (or set KYLIN_REFERENCE)");
    return path;
}

}  // namespace kylin::cli
