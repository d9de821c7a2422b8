#include <algorithm>
#include <chrono>
#include <numeric>
#include <sys/resource.h>

#include "cli/bench_runner.h"
#include "cli/child_process.h"
#include "engine/engine.h"
#include "gguf/file.h"
#include "model/model.h"

namespace kylin::cli {
namespace {

// Drives the forward pass as the engine does: chunks of n_ubatch rows, logits of the last row only.
class KylinRunner final : public BenchRunner {
public:
    KylinRunner(const BenchOptions& options, const Progress& progress)
        : n_ubatch_(options.n_ubatch ? options.n_ubatch : EngineOptions{}.n_ubatch),
          last_logits_(std::ranges::find(options.without, Technique::last_logits) == options.without.end()) {
        const auto start = std::chrono::steady_clock::now();
        file_ = std::make_unique<gguf::File>(gguf::File::open(options.model));
        model_ = Model::load(*file_);
        pages_per_stream_ = (options.n_context + page_positions - 1) / page_positions;
        pages_.resize(static_cast<size_t>(pages_per_stream_ * options.n_streams));
        std::iota(pages_.begin(), pages_.end(), 0);
        math_ = make_numerics(*model_,
                              {.kind = NumericsKind::fast,
                               .n_pages = static_cast<int>(pages_.size()),
                               .kv = options.kv,
                               .n_threads = options.n_threads,
                               .isa = options.isa,
                               .without = options.without},
                              progress);
        load_seconds_ = seconds_since(start);
    }
    double load_seconds() const override { return load_seconds_; }
    Reads reads() const override {
        const Config& c = model_->config();
        Reads reads{.of_position = static_cast<double>(math_->kv_bytes_of_position()) * c.n_layer};
        for (const Weight& w : model_->weights())
            if (w.role == Role::matrix) (w.n_outputs == c.n_vocab ? reads.head : reads.layers) += static_cast<double>(math_->bytes_of(w));
        return reads;
    }
    double peak_bytes() override {
        rusage usage{};
        getrusage(RUSAGE_SELF, &usage);
        return static_cast<double>(usage.ru_maxrss) * 1024;
    }
    double prefill(int n) override {
        const auto start = std::chrono::steady_clock::now();
        fill(0, n);
        filled_ = n;
        return seconds_since(start);
    }
    double decode(const DecodeWork& work) override {
        if (filled_ < work.depth) fill(filled_, work.depth - filled_), filled_ = work.depth;
        const auto start = std::chrono::steady_clock::now();
        for (int i = 0; i < work.n; ++i) step(work.depth + i, 1, true);
        filled_ = std::max(filled_, work.depth + work.n);
        return seconds_since(start);
    }
    double streams(int n, int n_streams) override {
        filled_ = 0;
        const auto start = std::chrono::steady_clock::now();
        for (int i = 0; i < n; ++i) step_streams(i, n_streams);
        return seconds_since(start);
    }
    void time_with(StageClock* clock) override { math_->time_with(clock); }

private:
    void fill(int first, int n) {
        for (int done = 0; done < n; done += n_ubatch_) {
            const int rows = std::min(n_ubatch_, n - done);
            step(first + done, rows, done + rows == n);
        }
    }
    void step(int position, int n, bool with_logits) {
        Batch batch;
        for (int i = 0; i < n; ++i) batch.tokens.push_back(token(position + i));
        batch.chunks = {{.first_row = 0, .n_rows = n, .first_position = position, .pages = pages_}};
        if (with_logits) batch.outputs = {n - 1};
        if (!last_logits_) {
            batch.outputs.resize(static_cast<size_t>(n));
            std::iota(batch.outputs.begin(), batch.outputs.end(), 0);
        }
        model_->forward(*math_, batch);
    }
    void step_streams(int position, int n_streams) {
        Batch batch;
        for (int s = 0; s < n_streams; ++s) {
            batch.tokens.push_back(token(position + s));
            batch.chunks.push_back(
                {.first_row = s,
                 .n_rows = 1,
                 .first_position = position,
                 .pages = std::span(pages_).subspan(static_cast<size_t>(s * pages_per_stream_), static_cast<size_t>(pages_per_stream_))});
            batch.outputs.push_back(s);
        }
        model_->forward(*math_, batch);
    }
    // A fixed walk over the vocabulary: every run does the same work.
    int32_t token(int position) const {
        const auto mixed = static_cast<uint64_t>(position) * 2654435761u;
        return static_cast<int32_t>(mixed % static_cast<uint64_t>(model_->config().n_vocab));
    }

    int n_ubatch_, filled_ = 0, pages_per_stream_ = 0;
    bool last_logits_;
    double load_seconds_ = 0;
    std::vector<int32_t> pages_;
    std::unique_ptr<gguf::File> file_;
    std::unique_ptr<const Model> model_;
    std::unique_ptr<Numerics> math_;
};

}  // namespace

std::unique_ptr<BenchRunner> make_kylin_runner(const BenchOptions& options, const Progress& progress) {
    return std::make_unique<KylinRunner>(options, progress);
}

double kylin_seconds_to_first_token(const BenchOptions& options) {
    std::vector<std::string> command = {std::filesystem::read_symlink("/proc/self/exe").string(),
                                        "run",
                                        "--raw",
                                        "--json",
                                        "-m",
                                        options.model.string(),
                                        "-t",
                                        std::to_string(options.n_threads),
                                        "--kv",
                                        std::string(name(options.kv)),
                                        "-n",
                                        "1",
                                        "a"};
    if (!options.isa.empty()) command.insert(command.end(), {"--isa", options.isa});
    const auto start = std::chrono::steady_clock::now();
    ChildProcess run("kylin run", command);
    run.wait_for_output();
    return seconds_since(start);
}

}  // namespace kylin::cli
