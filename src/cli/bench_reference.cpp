// llama.cpp as a benchmark runner: the reference program, one line of JSON for each request line.
#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include "base/error.h"
#include "base/file_descriptor.h"
#include "cli/bench_runner.h"
#include "cli/paths.h"

namespace kylin::cli {
namespace {

constexpr const char* who = "llama.cpp reference";

struct Pipe {
    FileDescriptor read, write;
};

Pipe make_pipe() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) throw InputError(who, "cannot make a pipe");
    return {FileDescriptor(ends[0]), FileDescriptor(ends[1])};
}

class LlamaCppRunner final : public BenchRunner {
public:
    LlamaCppRunner(const BenchOptions& options, bool flash_attention) {
        const auto program = reference_program("kylin-reference-llamacpp");
        const std::vector<std::string> arguments = {program.string(),
                                                    "bench",
                                                    "--serve",
                                                    "--model",
                                                    options.model.string(),
                                                    "--threads",
                                                    std::to_string(options.n_threads),
                                                    "--ctx",
                                                    std::to_string(options.n_context),
                                                    "--streams",
                                                    std::to_string(options.n_streams),
                                                    "--ubatch",
                                                    std::to_string(options.n_ubatch ? options.n_ubatch : 512),
                                                    "--kv",
                                                    std::string(name(options.kv)),
                                                    "--flash-attn",
                                                    flash_attention ? "on" : "off",
                                                    "--repack",
                                                    "on"};
        start(arguments);
        const auto ready = answer();
        load_seconds_ = ready.at("load_seconds").get<double>();
    }
    ~LlamaCppRunner() override {
        requests_ = FileDescriptor();  // end of input ends the program
        if (child_ > 0) waitpid(child_, nullptr, 0);
    }
    double load_seconds() const override { return load_seconds_; }
    double peak_bytes() override { return ask("memory").at("peak_rss_bytes").get<double>(); }
    double prefill(int n) override { return ask("prefill " + std::to_string(n)).at("seconds").get<double>(); }
    double decode(const DecodeWork& work) override {
        return ask("decode " + std::to_string(work.n) + " " + std::to_string(work.depth)).at("seconds").get<double>();
    }
    double streams(int n, int n_streams) override {
        return ask("streams " + std::to_string(n) + " " + std::to_string(n_streams)).at("seconds").get<double>();
    }

private:
    void start(const std::vector<std::string>& arguments) {
        signal(SIGPIPE, SIG_IGN);  // a reference that died is reported by the failed write
        Pipe in = make_pipe(), out = make_pipe();
        std::vector<char*> argv;
        for (const std::string& a : arguments) argv.push_back(const_cast<char*>(a.c_str()));
        argv.push_back(nullptr);
        child_ = fork();
        if (child_ < 0) throw InputError(who, "cannot start a process");
        if (child_ == 0) {
            dup2(in.read.get(), STDIN_FILENO);
            dup2(out.write.get(), STDOUT_FILENO);
            execv(argv[0], argv.data());
            _exit(127);
        }
        requests_ = std::move(in.write);
        answers_.reset(fdopen(out.read.release(), "r"));
    }
    nlohmann::json ask(const std::string& request) {
        const std::string line = request + "\n";
        if (write(requests_.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size())) throw InputError(who, "has ended");
        return answer();
    }
    nlohmann::json answer() {
        char* line = nullptr;
        size_t capacity = 0;
        const ssize_t n = getline(&line, &capacity, answers_.get());
        const std::unique_ptr<char, decltype(&free)> owner(line, &free);
        if (n < 0) throw InputError(who, "ended without an answer");
        auto json = nlohmann::json::parse(std::string_view(line, static_cast<size_t>(n)), nullptr, false);
        if (json.is_discarded() || !json.is_object()) throw InputError(who, "answered: " + std::string(line, static_cast<size_t>(n)));
        if (json.contains("error")) throw InputError(who, json.at("error").get<std::string>());
        return json;
    }

    struct CloseFile {
        void operator()(FILE* f) const { fclose(f); }
    };
    pid_t child_ = -1;
    double load_seconds_ = 0;
    FileDescriptor requests_;
    std::unique_ptr<FILE, CloseFile> answers_;
};

}  // namespace

std::unique_ptr<BenchRunner> make_llama_cpp_runner(const BenchOptions& options, bool flash_attention) {
    return std::make_unique<LlamaCppRunner>(options, flash_attention);
}

}  // namespace kylin::cli
