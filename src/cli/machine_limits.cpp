#include "cli/machine_limits.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <functional>
#include <random>
#include <vector>

#include "kernels/packed_matrix.h"

namespace kylin::cli {
namespace {

// The best of many runs: a limit is what the machine can do when nothing disturbs it, and a neighbour may do so for a tenth of a second.
double least_seconds(const std::function<void()>& work) {
    using Clock = std::chrono::steady_clock;
    constexpr int runs = 5;
    constexpr std::chrono::milliseconds enough{300};
    double least = 1e30;
    const auto begin = Clock::now();
    for (int i = 0; i < runs || Clock::now() - begin < enough; ++i) {
        const auto start = Clock::now();
        work();
        least = std::min(least, std::chrono::duration<double>(Clock::now() - start).count());
    }
    return least;
}

// Fetches so many words ahead, if any: some processors read faster when they are told to, others when they are not.
template <size_t words_ahead>
uint64_t sum_words(const uint64_t* words, size_t n) {
    constexpr int second_level = 2;
    uint64_t sums[8] = {};
    for (size_t i = 0; i + 8 <= n; i += 8) {
        if constexpr (words_ahead > 0) __builtin_prefetch(words + i + words_ahead, 0, second_level);
        for (size_t lane = 0; lane < 8; ++lane) sums[lane] += words[i + lane];
    }
    uint64_t total = 0;
    for (const uint64_t s : sums) total += s;
    return total;
}

}  // namespace

double measure_read_bandwidth(ThreadPool& pool) {
    constexpr size_t words = size_t{64} << 20, words_per_task = size_t{1} << 17;  // 512 MiB in pieces of 1 MiB
    std::vector<uint64_t> memory(words, 1);
    std::vector<uint64_t> sums(words / words_per_task);
    const auto read_all = [&](auto sum) {
        pool.run(static_cast<int>(sums.size()), [&](int i) {
            const auto task = static_cast<size_t>(i);
            sums[task] = sum(memory.data() + task * words_per_task, words_per_task);
        });
    };
    constexpr size_t words_ahead = 1024;
    const double seconds =
        std::min(least_seconds([&] { read_all(sum_words<0>); }), least_seconds([&] { read_all(sum_words<words_ahead>); }));
    // The sums are used, so that the reads cannot be left out.
    const bool read = std::ranges::all_of(sums, [](uint64_t s) { return s == words_per_task; });
    return read ? static_cast<double>(words * sizeof(uint64_t)) / seconds : 0;
}

double measure_matmul(ThreadPool& pool, const Kernels& kernels, BlockType type) {
    constexpr int n_outputs = 64, width = 1024, n_rows = 64, repeats = 50;
    // Bytes of 0x11 are small numbers, never NaN, in every block type.
    const std::vector<std::byte> source(n_outputs * row_bytes(type, width), std::byte{0x11});
    PackedMatrix weights(type, n_outputs, width);
    weights.pack(source, 0, weights.n_panels());

    const size_t stride = activation_bytes(weights.activation(), width);
    std::vector<std::byte> x(stride * n_rows);
    std::vector<float> values(width);
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    for (int r = 0; r < n_rows; ++r) {
        std::ranges::generate(values, [&] { return normal(random); });
        std::byte* row = x.data() + static_cast<size_t>(r) * stride;
        switch (weights.activation()) {
            case Activation::f32:
                std::memcpy(row, values.data(), stride);
                break;
            case Activation::q8_0:
                kernels.quantize_q8_0(values.data(), reinterpret_cast<ActivationQ8_0*>(row), width);
                break;
            case Activation::q8_k:
                kernels.quantize_q8_k(values.data(), reinterpret_cast<ActivationQ8_K*>(row), width);
                break;
        }
    }
    const int n_threads = pool.n_threads();
    std::vector<std::vector<float>> y(static_cast<size_t>(n_threads), std::vector<float>(n_outputs * n_rows));
    const double seconds = least_seconds([&] {
        pool.run(n_threads, [&](int thread) {
            for (int i = 0; i < repeats; ++i)
                kernels.matmul({.weights = &weights,
                                .first_output = 0,
                                .n_outputs = n_outputs,
                                .x = x.data(),
                                .x_stride = stride,
                                .n_rows = n_rows,
                                .y = y[static_cast<size_t>(thread)].data(),
                                .y_stride = n_outputs});
        });
    });
    return static_cast<double>(n_outputs) * width * n_rows * repeats * n_threads / seconds;
}

}  // namespace kylin::cli
