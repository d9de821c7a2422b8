// kylin bench: tokens per second, and how far that is from what the machine can do; side by side with llama.cpp, or with Kylin without
// one of its techniques, on request.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <iostream>
#include <nlohmann/json.hpp>
#include <set>

#include "cli/bench_runner.h"
#include "cli/commands.h"
#include "cli/machine_limits.h"
#include "cli/paths.h"
#include "cli/progress.h"
#include "gguf/file.h"
#include "model/model.h"

namespace kylin::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Settings {
    std::string model, against, kv = "f16", isa, against_isa, flash = "auto";
    std::vector<std::string> without;
    std::vector<int> prompts = {512}, depths = {0}, streams;
    int n_decode = 32, n_threads = 0, n_ubatch = 0, repeats = 5;
    bool json = false, profile = false, start = false;
};

struct Work {
    enum class Kind : uint8_t { prefill, decode, streams } kind;
    int n, depth, n_streams;
    std::string name() const {
        if (kind == Kind::prefill) return fmt::format("prefill {}", n);
        return kind == Kind::decode ? fmt::format("decode {} at depth {}", n, depth) : fmt::format("decode {} of {} streams", n, n_streams);
    }
    double seconds(BenchRunner& runner) const {
        if (kind == Kind::prefill) return runner.prefill(n);
        return kind == Kind::decode ? runner.decode({n, depth}) : runner.streams(n, n_streams);
    }
    int n_tokens() const { return n * n_streams; }
};

double median(std::vector<double> values) {
    std::ranges::sort(values);
    const size_t n = values.size();
    return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

// Multiply-accumulates of one token in the layers' matrices and with each key. The LM head has one row and is bound by reading.
struct Cost {
    MacsByType layers;
    double per_key = 0;
    std::set<BlockType> types = {BlockType::f32};  // of the head, too

    explicit Cost(const Model& model) {
        const Config& c = model.config();
        for (const Weight& w : model.weights()) {
            if (w.role != Role::matrix) continue;
            types.insert(w.type);
            if (w.n_outputs != c.n_vocab) layers[w.type] += static_cast<double>(w.n_outputs) * w.width;
        }
        per_key = 2.0 * c.n_layer * c.attention.n_head * c.attention.head_dim;
    }

    MacsByType prefill(double n) const {
        MacsByType macs;
        for (const auto& [type, m] : layers) macs[type] = m * n;
        macs[BlockType::f32] += per_key * n * (n + 1) / 2;
        return macs;
    }
};

// Of one work, run in turn.
struct Seconds {
    std::vector<double> ours, theirs;

    // The ratios of the pairs; nothing without another engine.
    void append_ratio(Json& j) const {
        if (theirs.empty()) return;
        std::vector<double> ratios;
        for (size_t i = 0; i < ours.size(); ++i) ratios.push_back(theirs[i] / ours[i]);
        const auto [least, most] = std::ranges::minmax(ratios);
        j["ratio"] = median(ratios);
        j["ratio_least"] = least;
        j["ratio_most"] = most;
    }
};

struct Result {
    Work work;
    Seconds seconds;
    std::vector<double> kernel_seconds;  // of a prefill: what its layers take at the rates measured right after each run
    StageClock clock;                    // of one more run, when asked for
    double clocked_seconds = 0;
};

struct Findings {
    Seconds first_token;
    std::vector<Result> results;
    double peak_bytes = 0;  // of Kylin's process
    double bandwidth = 0;   // of the machine, as the rates
    MacsByType rates;
};

class Bench {
public:
    explicit Bench(Settings settings) : s_(std::move(settings)) {
        if (s_.n_threads == 0) s_.n_threads = usable_threads();
        for (const int n : s_.prompts) work_.push_back({Work::Kind::prefill, n, 0, 1});
        if (s_.n_decode == 0) return;
        for (const int depth : s_.depths) work_.push_back({Work::Kind::decode, s_.n_decode, depth, 1});
        for (const int n : s_.streams) work_.push_back({Work::Kind::streams, s_.n_decode, 0, n});
    }

    void run() {
        const BenchOptions options{.model = s_.model.empty() ? demo_model() : std::filesystem::path(s_.model),
                                   .n_threads = s_.n_threads,
                                   .n_context = context(),
                                   .n_ubatch = s_.n_ubatch,
                                   .n_streams = s_.streams.empty() ? 1 : std::ranges::max(s_.streams),
                                   .kv = kv_type_named(s_.kv),
                                   .isa = s_.isa,
                                   .without = {}};
        const bool flash = s_.flash == "on" || (s_.flash == "auto" && options.kv == KvType::q8_0);
        Findings found;
        if (s_.start) found.first_token = measure_start(options, flash);
        const Cost cost = cost_of(options);
        const auto ours = load(options);
        std::unique_ptr<BenchRunner> theirs;
        if (s_.against == "llama.cpp") theirs = make_llama_cpp_runner(options, flash);
        if (s_.against == "kylin") theirs = load(altered(options));

        ThreadPool pool(s_.n_threads);
        MacLimits limits(pool, select_kernels(s_.isa), cost.types);
        {
            ProgressBar bar("measuring");
            bar.show(0);
            for (const Work& w : work_) {
                found.results.push_back(measure(w, *ours, theirs.get(), cost, limits));
                bar.show(static_cast<double>(found.results.size()) / static_cast<double>(work_.size()));
            }
        }
        found.peak_bytes = ours->peak_bytes();  // before the memory that the bandwidth is measured with
        found.bandwidth = measure_read_bandwidth(pool);
        found.rates = limits.measure(std::chrono::milliseconds(300));
        report(options, *ours, theirs.get(), found);
    }

private:
    // Before this process loads the model, so that its file, read once more, does not count in the peak of memory.
    static Cost cost_of(const BenchOptions& options) {
        const gguf::File file = gguf::File::open(options.model);
        return Cost(*Model::load(file));
    }

    static std::unique_ptr<BenchRunner> load(const BenchOptions& options) {
        ProgressBar bar("loading");
        return make_kylin_runner(options, [&](double share) { bar.show(share); });
    }

    BenchOptions altered(BenchOptions options) const {
        if (!s_.against_isa.empty()) options.isa = s_.against_isa;
        for (const TechniqueInfo& t : techniques)
            if (std::ranges::find(s_.without, t.name) != s_.without.end()) options.without.push_back(t.technique);
        return options;
    }
    std::string against() const {
        if (s_.against == "llama.cpp") return s_.against;
        return fmt::format("kylin{}{}{}{}", s_.against_isa.empty() ? "" : " with ", s_.against_isa, s_.without.empty() ? "" : " without ",
                           fmt::join(s_.without, ", "));
    }

    int context() const {
        int n = 0;
        for (const Work& w : work_) n = std::max(n, w.depth + w.n);
        return n;
    }

    // Whole processes, before this one holds memory and threads. llama.cpp gets a token for a prompt, Kylin a word.
    Seconds measure_start(BenchOptions options, bool flash) const {
        Model::load(gguf::File::open(options.model));  // so that a bad file is reported once, by this process
        options.n_context = 16;
        Seconds s;
        ProgressBar bar("starting");
        for (int i = 0; i <= s_.repeats; ++i) {
            bar.show(static_cast<double>(i) / (s_.repeats + 1));
            const double ours = kylin_seconds_to_first_token(options);
            const double theirs = s_.against == "llama.cpp" ? llama_cpp_seconds_to_first_token(options, flash) : 0;
            if (i == 0) continue;  // the file was perhaps not cached yet
            s.ours.push_back(ours);
            if (theirs > 0) s.theirs.push_back(theirs);
        }
        return s;
    }

    // Pairs in turn, so that a machine that slows down slows both; and a prefill in turn with what bounds it.
    Result measure(const Work& w, BenchRunner& ours, BenchRunner* theirs, const Cost& cost, MacLimits& limits) const {
        Result r{w, {}, {}, {}};
        w.seconds(ours);  // warm up: caches, and the KV cache to the depth
        if (theirs) w.seconds(*theirs);
        for (int i = 0; i < s_.repeats; ++i) {
            r.seconds.ours.push_back(w.seconds(ours));
            if (w.kind == Work::Kind::prefill) {
                const MacsByType rates = limits.measure(std::chrono::milliseconds(50));
                r.kernel_seconds.push_back(seconds_at(rates, cost.prefill(w.n)));
            }
            if (theirs) r.seconds.theirs.push_back(w.seconds(*theirs));
        }
        if (s_.profile) {
            ours.time_with(&r.clock);
            r.clocked_seconds = w.seconds(ours);
            ours.time_with(nullptr);
        }
        return r;
    }

    void report(const BenchOptions& options, const BenchRunner& ours, BenchRunner* theirs, const Findings& found) const {
        Json j = {{"model", options.model.string()},        {"threads", s_.n_threads},
                  {"kernels", select_kernels(s_.isa).name}, {"load_seconds", ours.load_seconds()},
                  {"peak_bytes", found.peak_bytes},         {"read_bandwidth_bytes_per_second", found.bandwidth}};
        for (const auto& [type, rate] : found.rates) j["macs_per_second"][std::string(info(type).name)] = rate;
        if (theirs) j["against"] = {{"name", against()}, {"load_seconds", theirs->load_seconds()}, {"peak_bytes", theirs->peak_bytes()}};
        if (s_.start) {
            const Seconds& start = found.first_token;
            j["start_to_first_token"]["seconds"] = median(start.ours);
            if (!start.theirs.empty()) j["start_to_first_token"]["against_seconds"] = median(start.theirs);
            start.append_ratio(j["start_to_first_token"]);
        }
        for (const Result& r : found.results) {
            j["results"].push_back(row(r, ours.reads(), found.bandwidth));
            if (s_.profile) j["results"].back()["profile"] = profile(r, found);
        }
        if (s_.json)
            std::cout << j.dump(2) << '\n';
        else
            print(j);
    }

    static Json row(const Result& r, const Reads& reads, double bandwidth) {
        const double seconds = median(r.seconds.ours), rate = r.work.n_tokens() / seconds;
        Json j = {{"work", r.work.name()}, {"tokens_per_second", rate}};
        if (r.work.kind == Work::Kind::prefill) {
            std::vector<double> shares;
            for (size_t i = 0; i < r.kernel_seconds.size(); ++i)
                shares.push_back((r.kernel_seconds[i] + reads.head / bandwidth) / r.seconds.ours[i]);
            j["share_of_kernels"] = median(shares);
        } else {
            const double depth = r.work.depth + r.work.n / 2.0, steps = r.work.n / seconds;  // a step reads the weights once
            const double kv = reads.of_position * depth * r.work.n_streams;
            j["share_of_read_bandwidth"] = (reads.weights() + kv) * steps / bandwidth;
        }
        if (!r.seconds.theirs.empty()) j["against_tokens_per_second"] = r.work.n_tokens() / median(r.seconds.theirs);
        r.seconds.append_ratio(j);
        return j;
    }

    static Json profile(const Result& r, const Findings& found) {
        Json stages = Json::array();
        double inside = 0;
        for (size_t i = 0; i < n_stages; ++i) {
            const auto stage = static_cast<Stage>(i);
            const StageClock::Total& t = r.clock.of(stage);
            if (t.seconds == 0) continue;
            inside += t.seconds;
            double macs = 0;
            for (const auto& [type, n] : t.macs) macs += n;
            stages.push_back({{"stage", info(stage).name},
                              {"seconds", t.seconds},
                              {"share", t.seconds / r.clocked_seconds},
                              {"macs_per_second", macs / t.seconds},
                              {"share_of_kernels", seconds_at(found.rates, t.macs) / t.seconds},
                              {"bytes_per_second", t.bytes / t.seconds},
                              {"share_of_read_bandwidth", t.bytes / found.bandwidth / t.seconds}});
        }
        return {{"seconds", r.clocked_seconds}, {"inside_stages", inside / r.clocked_seconds}, {"stages", stages}};
    }

    static void print_profile(const Json& p) {
        const auto part = [](const Json& s, const char* name, const char* share) {
            const double rate = s[name].get<double>();
            return rate == 0 ? std::string() : fmt::format("{:.1f} ({:.0f} %)", rate / 1e9, 100 * s[share].get<double>());
        };
        fmt::print("    {:<14}{:>10}{:>8}{:>18}{:>18}\n", "stage", "ms", "share", "GMAC/s (limit)", "GB/s (limit)");
        for (const Json& s : p["stages"])
            fmt::print("    {:<14}{:>10.2f}{:>6.1f} %{:>18}{:>18}\n", s["stage"].get<std::string>(), 1e3 * s["seconds"].get<double>(),
                       100 * s["share"].get<double>(), part(s, "macs_per_second", "share_of_kernels"),
                       part(s, "bytes_per_second", "share_of_read_bandwidth"));
        fmt::print("    {:.1f} % of {:.2f} ms are inside the stages\n", 100 * p["inside_stages"].get<double>(),
                   1e3 * p["seconds"].get<double>());
    }

    static std::string ratio(const Json& j) {
        return fmt::format("{:.2f} ({:.2f} .. {:.2f})", j["ratio"].get<double>(), j["ratio_least"].get<double>(),
                           j["ratio_most"].get<double>());
    }

    static void print_start(const Json& j) {
        fmt::print("start to first token {:.2f} s", j["seconds"].get<double>());
        if (j.contains("ratio")) fmt::print(", llama.cpp {:.2f} s: {} times as long", j["against_seconds"].get<double>(), ratio(j));
        fmt::print("\n");
    }

    static void print(const Json& j) {
        fmt::print("{}  {} threads, {} kernels\n", j["model"].get<std::string>(), j["threads"].get<int>(), j["kernels"].get<std::string>());
        fmt::print("load {:.2f} s, peak memory {:.0f} MiB\n", j["load_seconds"].get<double>(), j["peak_bytes"].get<double>() / (1 << 20));
        fmt::print("limits here: reads {:.1f} GB/s; GMAC/s:", j["read_bandwidth_bytes_per_second"].get<double>() / 1e9);
        for (const auto& [type, rate] : j["macs_per_second"].items()) fmt::print(" {} {:.0f}", type, rate.get<double>() / 1e9);
        fmt::print("\n\n");
        if (j.contains("start_to_first_token")) print_start(j["start_to_first_token"]);
        const bool pairs = j.contains("against");
        const std::string name = pairs ? j["against"]["name"].get<std::string>() : "";
        if (pairs) fmt::print("in turn with {}\n\n", name);
        fmt::print("{:<28}{:>12}{:>22}{}\n", "work", "tokens/s", "share of the limit", pairs ? "       other   ratio (least .. most)" : "");
        for (const Json& r : j["results"]) {
            const bool prefill = r.contains("share_of_kernels");
            const double share = r[prefill ? "share_of_kernels" : "share_of_read_bandwidth"].get<double>();
            fmt::print("{:<28}{:>12.1f}{:>12.0f} % of {:<5}", r["work"].get<std::string>(), r["tokens_per_second"].get<double>(),
                       100 * share, prefill ? "MACs" : "reads");
            if (pairs) fmt::print("{:>12.1f}   {}", r["against_tokens_per_second"].get<double>(), ratio(r));
            fmt::print("\n");
            if (r.contains("profile")) print_profile(r["profile"]);
        }
        if (name == "llama.cpp")
            fmt::print("\nllama.cpp: load {:.2f} s, peak memory {:.0f} MiB\n", j["against"]["load_seconds"].get<double>(),
                       j["against"]["peak_bytes"].get<double>() / (1 << 20));
    }

    Settings s_;
    std::vector<Work> work_;
};

}  // namespace

void add_bench(CLI::App& app) {
    auto settings = std::make_shared<Settings>();
    CLI::App* bench = app.add_subcommand("bench", "Measure speed, memory and the share of the machine's limits");
    bench->add_option("-m,--model", settings->model, "GGUF file (default: the demo model)");
    bench->add_option("-p,--prefill", settings->prompts, "Prompt lengths, in tokens")
        ->delimiter(',')
        ->check(CLI::Range(1, 1 << 20))
        ->capture_default_str();
    bench->add_option("-n,--decode", settings->n_decode, "Tokens to decode; 0: none")->check(CLI::Range(0, 1 << 20))->capture_default_str();
    bench->add_option("-d,--depth", settings->depths, "Tokens in the KV cache before decoding")
        ->delimiter(',')
        ->check(CLI::Range(0, 1 << 20))
        ->capture_default_str();
    bench->add_option("--streams", settings->streams, "Also decode so many streams together, for example 4,8,16")
        ->delimiter(',')
        ->check(CLI::Range(1, 256));
    bench->add_option("-r,--repeats", settings->repeats, "Runs of each; the median is shown")
        ->check(CLI::Range(1, 1000))
        ->capture_default_str();
    bench->add_option("-t,--threads", settings->n_threads, "Threads (default: every usable core)")->check(CLI::Range(1, 1024));
    bench->add_option("--ubatch", settings->n_ubatch, "Rows of one prefill step (default: each engine's own, 256 and 512)")
        ->check(CLI::Range(1, 8192));
    bench->add_option("--kv", settings->kv, "KV cache type, of both engines")->check(CLI::IsMember(kv_type_names))->capture_default_str();
    bench->add_option("--isa", settings->isa,
                      "Kernels to use: avx512_intel, avx512_cascade_lake, avx512, avx_vnni, avx2, scalar (default: the best)");
    auto* against = bench->add_option("--against", settings->against, "Run this in turn and print the ratio: llama.cpp, or kylin altered")
                        ->check(CLI::IsMember({"llama.cpp", "kylin"}));
    std::vector<std::string> names;
    for (const TechniqueInfo& t : techniques) names.emplace_back(t.name);
    bench
        ->add_option("--without", settings->without,
                     "Techniques that `--against kylin` leaves out: " + fmt::format("{}", fmt::join(names, ", ")))
        ->delimiter(',')
        ->check(CLI::IsMember(names))
        ->needs(against);
    bench->add_option("--against-isa", settings->against_isa, "Kernels that `--against kylin` uses")->needs(against);
    bench
        ->add_option("--flash-attn", settings->flash,
                     "llama.cpp's flash attention; auto: off, but on for a q8_0 cache, which it cannot read otherwise")
        ->check(CLI::IsMember({"on", "off", "auto"}))
        ->capture_default_str();
    bench->add_flag("--start", settings->start, "Also measure whole processes, from their start to the first token of an answer");
    bench->add_flag("--profile", settings->profile, "Also print where the time goes, stage by stage");
    bench->add_flag("--json", settings->json, "Print one JSON object");
    bench->callback([settings] { Bench(*settings).run(); });
}

}  // namespace kylin::cli
