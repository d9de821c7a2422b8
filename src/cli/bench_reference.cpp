// llama.cpp as a benchmark runner: the reference program, one line of JSON for each request line.
#include <chrono>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/bench_runner.h"
#include "cli/child_process.h"
#include "cli/paths.h"

namespace kylin::cli {
namespace {

constexpr const char* who = "llama.cpp reference";

class LlamaCppRunner final : public BenchRunner {
public:
    LlamaCppRunner(const BenchOptions& options, bool flash_attention) : process_(who, arguments(options, flash_attention)) {
        load_seconds_ = answer().at("load_seconds").get<double>();
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
    static std::vector<std::string> arguments(const BenchOptions& options, bool flash_attention) {
        return {reference_program("kylin-reference-llamacpp").string(),
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
    }
    nlohmann::json ask(const std::string& request) {
        process_.write_line(request);
        return answer();
    }
    nlohmann::json answer() {
        const std::string line = process_.read_line();
        auto json = nlohmann::json::parse(line, nullptr, false);
        if (json.is_discarded() || !json.is_object()) throw InputError(who, "answered: " + line);
        if (json.contains("error")) throw InputError(who, json.at("error").get<std::string>());
        return json;
    }

    ChildProcess process_;
    double load_seconds_ = 0;
};

}  // namespace

std::unique_ptr<BenchRunner> make_llama_cpp_runner(const BenchOptions& options, bool flash_attention) {
    return std::make_unique<LlamaCppRunner>(options, flash_attention);
}

double llama_cpp_seconds_to_first_token(const BenchOptions& options, bool flash_attention) {
    const auto start = std::chrono::steady_clock::now();
    LlamaCppRunner runner(options, flash_attention);
    runner.prefill(1);
    return seconds_since(start);
}

}  // namespace kylin::cli
