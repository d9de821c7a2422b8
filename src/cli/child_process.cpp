#include "cli/child_process.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"

namespace kylin::cli {
namespace {

struct Pipe {
    FileDescriptor read, write;
};

Pipe make_pipe(const std::string& who) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) throw InputError(who, "cannot make a pipe");
    return {FileDescriptor(ends[0]), FileDescriptor(ends[1])};
}

}  // namespace

ChildProcess::ChildProcess(std::string who, std::vector<std::string> arguments) : who_(std::move(who)) {
    signal(SIGPIPE, SIG_IGN);  // a program that died is reported by the failed write
    Pipe in = make_pipe(who_), out = make_pipe(who_);
    std::vector<char*> argv;
    for (std::string& a : arguments) argv.push_back(a.data());
    argv.push_back(nullptr);
    child_ = fork();
    if (child_ < 0) throw InputError(who_, "cannot start a process");
    if (child_ == 0) {
        dup2(in.read.get(), STDIN_FILENO);
        dup2(out.write.get(), STDOUT_FILENO);
        execv(argv[0], argv.data());
        _exit(127);
    }
    input_ = std::move(in.write);
    output_.reset(fdopen(out.read.release(), "r"));
}

ChildProcess::~ChildProcess() {
    input_ = FileDescriptor();
    if (child_ > 0) waitpid(child_, nullptr, 0);
}

void ChildProcess::write_line(const std::string& line) {
    const std::string ended = line + "\n";
    if (write(input_.get(), ended.data(), ended.size()) != static_cast<ssize_t>(ended.size())) throw InputError(who_, "has ended");
}

std::string ChildProcess::read_line() {
    char* line = nullptr;
    size_t capacity = 0;
    const ssize_t n = getline(&line, &capacity, output_.get());
    const std::unique_ptr<char, decltype(&free)> owner(line, &free);
    if (n < 0) throw InputError(who_, "ended without an answer");
    std::string text(line, static_cast<size_t>(n));
    if (text.ends_with('\n')) text.pop_back();
    return text;
}

void ChildProcess::wait_for_output() {
    if (getc(output_.get()) == EOF) throw InputError(who_, "ended without an answer");
}

}  // namespace kylin::cli
