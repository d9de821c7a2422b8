// Speed of one core: matmul tiles in GMAC/s (and, for one row, GB/s of weights read from memory), and the quantizers.
// Names read matmul/<instruction set>/<weight type>/<width>/<rows>; bf16_short is BF16 in 12 bits. Up to 16 rows, as in decoding, the
// weights rotate through 256 MB, far beyond any cache.
#include <benchmark/benchmark.h>
#include <random>
#include <vector>

#include "gguf/block_codec.h"
#include "kernels/packed_matrix.h"

namespace kylin {
namespace {

std::vector<float> gaussian(size_t n) {
    std::mt19937 random(7);
    std::normal_distribution<float> normal;
    std::vector<float> values(n);
    for (float& v : values) v = normal(random);
    return values;
}

PackedMatrix random_matrix(BlockType type, int n_outputs, int width, Packing packing) {
    // A few distinct rows are enough for the clock, and quick to quantize.
    constexpr size_t distinct = 16;
    const size_t n = static_cast<size_t>(width), stride = row_bytes(type, n);
    std::vector<std::byte> source(static_cast<size_t>(n_outputs) * stride);
    const std::vector<float> values = gaussian(distinct * n);
    for (size_t o = 0; o < static_cast<size_t>(n_outputs); ++o)
        if (o < distinct)
            quantize_row(type, values.data() + o * n, source.data() + o * stride, width);
        else
            std::copy_n(source.data() + o % distinct * stride, stride, source.data() + o * stride);
    PackedMatrix matrix(type, n_outputs, width, nullptr, packing);
    matrix.pack(source, 0, matrix.n_panels());
    return matrix;
}

std::vector<std::byte> activations(const Kernels& kernels, Activation form, int rows, int width) {
    const size_t n = static_cast<size_t>(rows) * static_cast<size_t>(width);
    const std::vector<float> x = gaussian(n);
    std::vector<std::byte> bytes(static_cast<size_t>(rows) * activation_bytes(form, width));
    if (form == Activation::q8_k)
        kernels.quantize_q8_k(x.data(), reinterpret_cast<ActivationQ8_K*>(bytes.data()), static_cast<int>(n));
    else if (form == Activation::q8_0)
        kernels.quantize_q8_0(x.data(), reinterpret_cast<ActivationQ8_0*>(bytes.data()), static_cast<int>(n));
    else
        std::copy_n(reinterpret_cast<const std::byte*>(x.data()), bytes.size(), bytes.data());
    return bytes;
}

constexpr int most_streams = 16;

struct Shape {
    BlockType type;
    int width, rows;
    Packing packing = Packing::plain;
};

void run_matmul(benchmark::State& state, const Kernels& kernels, Shape shape) {
    constexpr int n_outputs = 512;
    const size_t one_matrix = row_bytes(shape.type, static_cast<size_t>(shape.width)) * n_outputs;
    const size_t n_matrices = shape.rows <= most_streams ? (size_t{256} << 20) / one_matrix : 1;
    std::vector<PackedMatrix> weights;
    for (size_t i = 0; i < n_matrices; ++i) weights.push_back(random_matrix(shape.type, n_outputs, shape.width, shape.packing));
    const Activation form = weights[0].activation();
    const std::vector<std::byte> x = activations(kernels, form, shape.rows, shape.width);
    struct alignas(64) Row {
        float outputs[n_outputs];
    };
    std::vector<Row> y(static_cast<size_t>(shape.rows));
    size_t next = 0;
    for (auto _ : state) {
        kernels.matmul({&weights[next], 0, n_outputs, x.data(), activation_bytes(form, shape.width), shape.rows, y[0].outputs, n_outputs});
        next = (next + 1) % n_matrices;
        benchmark::ClobberMemory();
    }
    using benchmark::Counter;
    const double macs = static_cast<double>(shape.rows) * n_outputs * shape.width;
    state.counters["GMAC"] = Counter(macs * 1e-9, Counter::kIsIterationInvariantRate);
    state.counters["GB"] = Counter(static_cast<double>(weights[0].bytes()) * 1e-9, Counter::kIsIterationInvariantRate);
}

void run_quantize(benchmark::State& state, const Kernels& kernels, Activation form) {
    constexpr int n = 4096;
    const std::vector<float> x = gaussian(n);
    std::vector<std::byte> y(activation_bytes(form, n));
    for (auto _ : state) {
        if (form == Activation::q8_k)
            kernels.quantize_q8_k(x.data(), reinterpret_cast<ActivationQ8_K*>(y.data()), n);
        else
            kernels.quantize_q8_0(x.data(), reinterpret_cast<ActivationQ8_0*>(y.data()), n);
        benchmark::ClobberMemory();
    }
    state.SetItemsProcessed(state.iterations() * n);
}

void register_benchmarks() {
    constexpr BlockType types[] = {BlockType::q2_k,   BlockType::q3_k, BlockType::q4_k, BlockType::q5_k, BlockType::q6_k,
                                   BlockType::q8_0,   BlockType::q4_0, BlockType::q4_1, BlockType::q5_0, BlockType::q5_1,
                                   BlockType::iq4_nl, BlockType::f16,  BlockType::bf16, BlockType::f32};
    for (const Kernels* kernels : usable_kernels()) {
        const std::string isa(kernels->name);
        const auto add_matmul = [&](BlockType type, Packing packing) {
            for (const int rows : {1, 2, 4, 8, 16, 64, 512}) {
                const std::string held = packing == Packing::short_floats ? "_short" : "";
                const std::string name = "matmul/" + isa + "/" + std::string(info(type).name) + held + "/1024/" + std::to_string(rows);
                benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
                    run_matmul(state, *kernels, {type, 1024, rows, packing});
                });
            }
        };
        for (const BlockType type : types) add_matmul(type, Packing::plain);
        add_matmul(BlockType::bf16, Packing::short_floats);
        benchmark::RegisterBenchmark(("quantize/" + isa + "/q8_0").c_str(),
                                     [=](benchmark::State& state) { run_quantize(state, *kernels, Activation::q8_0); });
        benchmark::RegisterBenchmark(("quantize/" + isa + "/q8_k").c_str(),
                                     [=](benchmark::State& state) { run_quantize(state, *kernels, Activation::q8_k); });
    }
}

}  // namespace
}  // namespace kylin

int main(int argc, char** argv) {
    kylin::register_benchmarks();
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
    benchmark::RunSpecifiedBenchmarks();
}
