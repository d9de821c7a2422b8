// Speed of one core in attention, one KV head of Qwen3-0.6B (head_dim 128, 2 query heads), and what a parallel region costs.
// Names read attend/<instruction set>/<KV type>/<rows>/<depth>: rows of queries that end at position depth - 1. GMAC counts the products
// a query needs; GB the keys and values read. The cache rotates through 256 MB, as the layers of a model do.
#include <benchmark/benchmark.h>
#include <random>
#include <vector>

#include "kernels/dispatch.h"
#include "kernels/thread_pool.h"

namespace kylin {
namespace {

constexpr int head_dim = 128, group = 2;

struct Shape {
    KvType type;
    int rows, depth;
};

// Pages of keys and values of one head at one depth.
class Cache {
public:
    Cache(const Kernels& kernels, Shape shape) : page_bytes_(kv_page_bytes(shape.type, head_dim)) {
        const size_t n_pages = static_cast<size_t>((shape.depth + kv_block - 1) / kv_block);
        memory_.resize(2 * n_pages * page_bytes_);
        for (size_t p = 0; p < n_pages; ++p) {
            k_.push_back(memory_.data() + 2 * p * page_bytes_);
            v_.push_back(memory_.data() + (2 * p + 1) * page_bytes_);
        }
        std::mt19937 random(7);
        std::normal_distribution<float> normal;
        std::vector<float> key(head_dim), value(head_dim);
        for (float& x : key) x = normal(random);
        for (float& x : value) x = normal(random);
        for (int i = 0; i < shape.depth; ++i) {
            const size_t p = static_cast<size_t>(i / kv_block);
            kernels.store_kv({.type = shape.type,
                              .head_dim = head_dim,
                              .slot = i % kv_block,
                              .k = key.data(),
                              .v = value.data(),
                              .k_page = memory_.data() + 2 * p * page_bytes_,
                              .v_page = memory_.data() + (2 * p + 1) * page_bytes_});
        }
    }
    Cache(const Cache&) = delete;
    Cache(Cache&&) = default;
    const std::byte* const* k() const { return k_.data(); }
    const std::byte* const* v() const { return v_.data(); }
    size_t bytes() const { return memory_.size(); }

private:
    size_t page_bytes_;
    std::vector<std::byte> memory_;
    std::vector<const std::byte*> k_, v_;
};

void run_attend(benchmark::State& state, const Kernels& kernels, Shape shape) {
    std::vector<Cache> caches;
    do caches.emplace_back(kernels, shape);
    while (caches.size() * caches[0].bytes() < size_t{256} << 20);
    const size_t width = group * head_dim, n = width * static_cast<size_t>(shape.rows);
    std::mt19937 random(8);
    std::normal_distribution<float> normal;
    std::vector<float> q(n), out(n);
    for (float& x : q) x = normal(random);
    size_t next = 0;
    for (auto _ : state) {
        kernels.attend({.type = shape.type,
                        .head_dim = head_dim,
                        .group = group,
                        .n_rows = shape.rows,
                        .first_position = shape.depth - shape.rows,
                        .scale = 0.088f,
                        .q = q.data(),
                        .q_stride = width,
                        .out = out.data(),
                        .out_stride = width,
                        .k_pages = caches[next].k(),
                        .v_pages = caches[next].v()});
        next = (next + 1) % caches.size();
        benchmark::ClobberMemory();
    }
    using benchmark::Counter;
    double keys = 0;
    for (int r = 0; r < shape.rows; ++r) keys += shape.depth - r;
    state.counters["GMAC"] = Counter(keys * group * 2 * head_dim * 1e-9, Counter::kIsIterationInvariantRate);
    state.counters["GB"] = Counter(static_cast<double>(caches[0].bytes()) * 1e-9, Counter::kIsIterationInvariantRate);
}

void run_region(benchmark::State& state, int n_threads) {
    ThreadPool pool(n_threads);
    for (auto _ : state) pool.run(n_threads, [](int) { benchmark::ClobberMemory(); });
}

void register_benchmarks() {
    for (const Kernels* kernels : usable_kernels())
        for (const auto& [type, type_name] : {std::pair{KvType::f16, "/f16/"}, {KvType::f32, "/f32/"}, {KvType::q8_0, "/q8_0/"}})
            for (const auto& [rows, depth] :
                 {std::pair{1, 512}, {1, 2048}, {1, 8192}, {4, 2048}, {64, 64}, {64, 256}, {64, 512}, {64, 2048}}) {
                const std::string name =
                    "attend/" + std::string(kernels->name) + type_name + std::to_string(rows) + "/" + std::to_string(depth);
                const Shape shape{type, rows, depth};
                benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) { run_attend(state, *kernels, shape); });
            }
    for (int n_threads = 1; n_threads <= usable_threads(); ++n_threads)
        benchmark::RegisterBenchmark(("region/" + std::to_string(n_threads)).c_str(), [=](benchmark::State& state) {
            run_region(state, n_threads);
        })->UseRealTime();
}

}  // namespace
}  // namespace kylin

int main(int argc, char** argv) {
    kylin::register_benchmarks();
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
    benchmark::RunSpecifiedBenchmarks();
}
