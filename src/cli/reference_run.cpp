#include "cli/reference_run.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/temporary_folder.h"
#include "cli/paths.h"

namespace kylin::cli {
namespace {

constexpr const char* who = "llama.cpp reference";

std::string last_line(const std::filesystem::path& path) {
    std::ifstream file(path);
    std::string line, last;
    while (std::getline(file, line))
        if (!line.empty()) last = line;
    return last;
}

int wait_for(pid_t child) {
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    return status;
}

// Throws when the program does not end well; `log` takes what it says on stderr.
void run(std::vector<std::string> command, const std::filesystem::path& log) {
    std::vector<char*> argv;
    for (std::string& a : command) argv.push_back(a.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&files, STDERR_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    pid_t child = -1;
    const int error = posix_spawn(&child, argv[0], &files, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&files);
    if (error != 0) throw InputError(who, "cannot be started: " + std::string(std::strerror(error)));
    const int status = wait_for(child);
    if (WIFSIGNALED(status)) throw InputError(who, std::string("crashed: ") + strsignal(WTERMSIG(status)));
    if (WEXITSTATUS(status) != 0) {
        const std::string said = last_line(log);
        throw InputError(who, said.empty() ? "failed with status " + std::to_string(WEXITSTATUS(status)) : said);
    }
}

}  // namespace

void trace_llama_cpp(const std::filesystem::path& model, const std::vector<int32_t>& tokens, int n_decode, bool scores,
                     const LlamaCppOptions& options, const std::filesystem::path& output) {
    std::string list;
    for (const int32_t id : tokens) list += (list.empty() ? "" : ",") + std::to_string(id);
    std::vector<std::string> command = {reference_program("kylin-reference-llamacpp").string(),
                                        "trace",
                                        "--model",
                                        model.string(),
                                        "--tokens",
                                        list,
                                        "--decode",
                                        std::to_string(n_decode),
                                        "--scores",
                                        scores ? "on" : "off",
                                        "--flash-attn",
                                        options.flash_attn,
                                        "--kv",
                                        options.kv,
                                        "--repack",
                                        options.repack,
                                        "--threads",
                                        std::to_string(options.n_threads),
                                        "--output",
                                        output.string()};
    for (const std::string& o : options.overrides) command.insert(command.end(), {"--override-kv", o});
    const TemporaryFolder folder("kylin-reference");
    run(std::move(command), folder.path() / "stderr");
}

}  // namespace kylin::cli
