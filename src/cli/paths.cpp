#include "cli/paths.h"

#include <cstdlib>

#include "base/error.h"

namespace kylin::cli {
namespace {

std::filesystem::path program_folder() { return std::filesystem::read_symlink("/proc/self/exe").parent_path(); }

struct OwnFile {
    const char *what, *in_tree, *variable, *remedy;
};

// $variable, or the file in the source tree the program was built in, or in ../share/kylin beside the program.
std::filesystem::path find_own(const OwnFile& file) {
    if (const char* path = std::getenv(file.variable)) return path;
    const auto folder = program_folder();
    for (const auto& path :
         {folder / "../../.." / file.in_tree, folder / "../share/kylin" / std::filesystem::path(file.in_tree).filename()})
        if (std::filesystem::exists(path)) return path.lexically_normal();
    throw InputError(file.what, std::string("not found beside the program; ") + file.remedy);
}

}  // namespace

std::filesystem::path demo_model() {
    return find_own({"demo model", "demo/kylin-demo-f16.gguf", "KYLIN_DEMO", "name a model with --model, or set KYLIN_DEMO"});
}

std::filesystem::path report_template() {
    return find_own({"report template", "web/report/dist/report.html", "KYLIN_REPORT", "set KYLIN_REPORT"});
}

std::filesystem::path reference_program(const std::string& name) {
    const char* folder = std::getenv("KYLIN_REFERENCE");
    std::filesystem::path path = (folder ? std::filesystem::path(folder) : program_folder()) / name;
    if (!std::filesystem::exists(path))
        throw InputError(name, "not found in " + path.parent_path().string() + "; scripts/test builds it (or set KYLIN_REFERENCE)");
    return path;
}

}  // namespace kylin::cli
