// bench: llama.cpp's speed, as one report or step by step under another program's control.
#include <algorithm>
#include <chrono>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>
#include <sys/resource.h>

#include "commands.h"
#include "session.h"

namespace kylin::reference {
namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

struct BenchOptions {
    RunOptions run = llama_defaults();
    int n_prefill = 512, n_decode = 64, depth = 0, repetitions = 3, context = 0, n_streams = 1;
    bool serve = false;
};

long peak_rss_bytes() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss * 1024;
}

class Bench {
public:
    Bench(const RunOptions& options, int context, int n_streams) : session_(options), tokens_(static_cast<size_t>(context)) {
        session_.open(context, {}, n_streams);
        // Any ids do; a fixed walk over the vocabulary makes every run read the same rows.
        for (size_t i = 0; i < tokens_.size(); ++i)
            tokens_[i] = static_cast<llama_token>((i * 7919 + 17) % static_cast<size_t>(session_.n_vocab()));
    }

    double prefill(int n) {
        hold(0);
        const Clock::time_point start = Clock::now();
        extend(n);
        return seconds_since(start);
    }

    // n single-token passes behind depth tokens; filling the cache up to depth is not counted.
    double decode(int n, int depth) {
        hold(depth);
        const Clock::time_point start = Clock::now();
        for (int i = 0; i < n; ++i) extend(1);
        return seconds_since(start);
    }

    // n passes over one token of each stream, from empty caches.
    double streams(int n, int n_streams) {
        session_.forget_all();
        held_ = 0;
        const std::span tokens(tokens_);
        std::vector<llama_token> row(static_cast<size_t>(n_streams));
        const Clock::time_point start = Clock::now();
        for (int i = 0; i < n; ++i) {
            for (size_t stream = 0; stream < row.size(); ++stream) row[stream] = tokens[(static_cast<size_t>(i) + stream) % tokens.size()];
            session_.feed_streams(row, i);
        }
        const double seconds = seconds_since(start);
        session_.forget_all();
        return seconds;
    }

    llama_token best() const { return argmax(session_.logits()); }

private:
    // The cache holds tokens_[0, n).
    void hold(int n) {
        session_.forget(std::min(held_, n));
        held_ = std::min(held_, n);
        extend(n - held_);
    }
    void extend(int n) {
        if (n < 0 || static_cast<size_t>(held_) + static_cast<size_t>(n) > tokens_.size())
            throw std::runtime_error("more tokens than the context holds");
        session_.feed(std::span(tokens_).subspan(static_cast<size_t>(held_), static_cast<size_t>(n)), held_, Session::Outputs::last);
        held_ += n;
    }

    Session session_;
    std::vector<llama_token> tokens_;
    int held_ = 0;
};

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const size_t n = values.size();
    return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

void run_report(const BenchOptions& options, int context) {
    const Clock::time_point start = Clock::now();
    Bench bench(options.run, context, options.n_streams);
    const double load = seconds_since(start);
    bench.prefill(options.n_prefill);
    const llama_token first = bench.best();
    const double first_token = seconds_since(start);

    bench.decode(std::min(options.n_decode, 8), 0);  // the first decode allocates its graph
    std::vector<double> prefill, decode;
    for (int i = 0; i < options.repetitions; ++i) {
        prefill.push_back(bench.prefill(options.n_prefill));
        decode.push_back(bench.decode(options.n_decode, options.depth));
    }
    const Json report = {{"engine", std::string("llama.cpp ") + llama_version()},
                         {"options", describe(options.run)},
                         {"system", llama_print_system_info()},
                         {"prefill", options.n_prefill},
                         {"decode", options.n_decode},
                         {"depth", options.depth},
                         {"prefill_tokens_per_second", options.n_prefill / median(prefill)},
                         {"decode_tokens_per_second", options.n_decode / median(decode)},
                         {"prefill_seconds", prefill},
                         {"decode_seconds", decode},
                         {"load_seconds", load},
                         {"first_token_seconds", first_token},
                         {"first_token", first},
                         {"peak_rss_bytes", peak_rss_bytes()}};
    std::cout << report.dump(2) << "\n";
}

// One line of --serve to its answer.
Json answer(Bench& bench, const std::string& line) {
    const std::string usage = "expected 'prefill N', 'decode N DEPTH', 'streams N STREAMS' or 'memory'";
    std::istringstream words(line);
    std::string what, rest;
    int n = 0, second = 0;
    words >> what;
    if (what == "prefill" || what == "decode" || what == "streams") words >> n;
    if (what == "decode" || what == "streams") words >> second;
    if (!words || n < 0 || second < 0 || words >> rest) throw std::runtime_error(usage);
    if (what == "prefill" && n > 0) return {{"step", line}, {"seconds", bench.prefill(n)}};
    if (what == "decode" && n > 0) return {{"step", line}, {"seconds", bench.decode(n, second)}};
    if (what == "streams" && n > 0 && second > 0) return {{"step", line}, {"seconds", bench.streams(n, second)}};
    if (what == "memory") return {{"step", line}, {"peak_rss_bytes", peak_rss_bytes()}};
    throw std::runtime_error(usage);
}

void serve_steps(const BenchOptions& options, int context) {
    const Clock::time_point start = Clock::now();
    Bench bench(options.run, context, options.n_streams);
    std::cout << Json{{"ready", true},
                      {"engine", std::string("llama.cpp ") + llama_version()},
                      {"options", describe(options.run)},
                      {"context", context},
                      {"load_seconds", seconds_since(start)}}
              << std::endl;
    for (std::string line; std::getline(std::cin, line);) {
        try {
            std::cout << answer(bench, line) << std::endl;
        } catch (const std::exception& failure) {
            std::cout << Json{{"step", line}, {"error", failure.what()}} << std::endl;
        }
    }
}

}  // namespace

void add_bench(CLI::App& program) {
    const auto options = std::make_shared<BenchOptions>();
    CLI::App* command = program.add_subcommand("bench", "Measure speed; the defaults are llama.cpp's own");
    add_run_options(*command, options->run);
    const CLI::Range count(1, 1 << 20);
    command->add_option("--prefill", options->n_prefill, "Prompt tokens")->check(count)->capture_default_str();
    command->add_option("--decode", options->n_decode, "Tokens to decode, one by one")->check(count)->capture_default_str();
    command->add_option("--depth", options->depth, "Tokens in the cache before decoding")
        ->check(CLI::Range(0, 1 << 20))
        ->capture_default_str();
    command->add_option("--repetitions", options->repetitions, "Repetitions; the median counts")->check(count)->capture_default_str();
    command->add_option("--ctx", options->context, "Tokens the cache holds; 0: what the numbers above need")->check(CLI::Range(0, 1 << 20));
    command->add_flag("--serve", options->serve,
                      "Read 'prefill N', 'decode N DEPTH', 'streams N STREAMS' or 'memory' lines, answer each with one JSON line");
    command->add_option("--streams", options->n_streams, "Most streams to decode together")
        ->check(CLI::Range(1, 256))
        ->capture_default_str();
    command->callback([options] {
        const int needed = std::max(options->n_prefill, options->depth + options->n_decode);
        const int context = options->context > 0 ? options->context : needed;
        options->serve ? serve_steps(*options, context) : run_report(*options, context);
    });
}

}  // namespace kylin::reference
