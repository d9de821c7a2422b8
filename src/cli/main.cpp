// kylin: the program. Picks the command, and turns whatever goes wrong into one line and an exit status:
// 0 done, 1 bad input (a file, a prompt), 2 bad usage (an option, a command).
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <new>
#include <numeric>
#include <string>
#include <system_error>
#include <vector>

#include "base/error.h"
#include "base/mapped_file.h"
#include "cli/commands.h"

namespace kylin::cli {
namespace {

constexpr int bad_input = 1, bad_usage = 2;

int fail(int status, const std::string& what) {
    std::fflush(stdout);
    std::fprintf(stderr, "error: %s\n", what.c_str());
    return status;
}

size_t edit_distance(const std::string& a, const std::string& b) {
    std::vector<size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), size_t{0});
    for (size_t i = 1; i <= a.size(); ++i) {
        size_t diagonal = std::exchange(row[0], i);
        for (size_t j = 1; j <= b.size(); ++j) {
            const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, replaced}));
        }
    }
    return row.back();
}

// Says what is wrong with a first argument that is no command; empty when nothing is.
std::string unknown_command(const CLI::App& app, const std::string& word) {
    constexpr size_t near = 2;
    std::string nearest;
    size_t least = near + 1;
    for (const CLI::App* command : app.get_subcommands({})) {
        const size_t distance = edit_distance(word, command->get_name());
        if (distance == 0) return {};
        if (distance < least) least = distance, nearest = command->get_name();
    }
    const std::string help = nearest.empty() ? "see kylin --help" : "did you mean \"" + nearest + "\"?";
    return "\"" + word + "\" is no command; " + help;
}

// A full disk or a closed pipe shows itself at the latest here. A reader that has gone away needs no message.
int flushed(int status) {
    if (std::fflush(stdout) == 0 && !std::ferror(stdout)) return status;
    return errno == EPIPE ? bad_input : fail(bad_input, "stdout: " + std::string(std::strerror(errno)));
}

int parse_and_run(CLI::App& app, int argc, char** argv) {
    if (argc > 1 && argv[1][0] != '-')
        if (const std::string what = unknown_command(app, argv[1]); !what.empty()) return fail(bad_usage, what);
    try {
        app.parse(argc, argv);
        return flushed(0);
    } catch (const CLI::RuntimeError& e) {
        return flushed(e.get_exit_code());
    } catch (const CLI::Success& e) {
        app.exit(e);
        return flushed(0);
    } catch (const CLI::ParseError& e) {
        return fail(bad_usage, e.what());
    } catch (const InputError& e) {
        return fail(bad_input, e.what());
    } catch (const std::system_error& e) {
        // {fmt} reports so what stdout did not take.
        return e.code() == std::errc::broken_pipe ? bad_input : fail(bad_input, e.what());
    } catch (const std::bad_alloc&) {
        return fail(bad_input, "memory: not enough");
    }
}

}  // namespace
}  // namespace kylin::cli

int main(int argc, char** argv) {
    using namespace kylin::cli;
    kylin::end_program_when_mapped_file_shrinks();
    CLI::App app{"Runs GGUF language models on CPUs, and proves its numbers.", "kylin"};
    app.footer("Exit status: 0 done, 1 bad input, 2 bad usage. `kylin COMMAND --help` says more about a command.\n");
    app.set_version_flag("--version", "kylin " KYLIN_VERSION);
    app.require_subcommand(1);
    app.get_formatter()->column_width(34);
    add_run(app);
    add_chat(app);
    add_serve(app);
    add_inspect(app);
    add_quantize(app);
    add_synth(app);
    add_bench(app);
    add_trace(app);
    add_compare(app);
    add_diagnose(app);
    return parse_and_run(app, argc, argv);
}
