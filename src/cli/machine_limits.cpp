#include "cli/machine_limits.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <numeric>
#include <random>

namespace kylin::cli {
namespace {

constexpr int width = 1024, repeats = 50;  // of the matrix kernel

// The best of many runs: a limit is what the machine can do when nothing disturbs it, and a neighbour may do so for a tenth of a second.
double least_seconds(std::chrono::milliseconds time, const std::function<void()>& work) {
    using Clock = std::chrono::steady_clock;
    constexpr int runs = 5;
    double least = 1e30;
    const auto begin = Clock::now();
    for (int i = 0; i < runs || Clock::now() - begin < time; ++i) {
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

double measure_float_products(ThreadPool& pool, const Kernels& kernels, std::chrono::milliseconds time) {
    constexpr int steps = 100000;
    constexpr float half = 0.5f;  // chains stay at 1
    struct alignas(64) Done {
        double products;
        float value;
    };
    std::vector<Done> done(static_cast<size_t>(pool.n_threads()));
    const double seconds = least_seconds(time, [&] {
        pool.run(pool.n_threads(), [&](int thread) {
            Done& d = done[static_cast<size_t>(thread)];
            d.value = kernels.multiply_floats(steps, half, d.products);
        });
    });
    return std::accumulate(done.begin(), done.end(), 0.0, [](double sum, const Done& d) { return sum + d.products; }) / seconds;
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
    constexpr std::chrono::milliseconds time{300};
    const double seconds =
        std::min(least_seconds(time, [&] { read_all(sum_words<0>); }), least_seconds(time, [&] { read_all(sum_words<words_ahead>); }));
    // The sums are used, so that the reads cannot be left out.
    const bool read = std::ranges::all_of(sums, [](uint64_t s) { return s == words_per_task; });
    return read ? static_cast<double>(words * sizeof(uint64_t)) / seconds : 0;
}

MatmulLimit::MatmulLimit(ThreadPool& pool, const Kernels& kernels, BlockType type)
    : pool_(pool),
      kernels_(kernels),
      weights_(type, n_outputs, width),
      x_(activation_bytes(weights_.activation(), width) * n_rows),
      y_(static_cast<size_t>(pool.n_threads())) {
    // Bytes of 0x11 are small numbers, never NaN, in every block type.
    const std::vector<std::byte> source(n_outputs * row_bytes(type, width), std::byte{0x11});
    weights_.pack(source, 0, weights_.n_panels());

    std::vector<float> values(static_cast<size_t>(width) * n_rows);
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    std::ranges::generate(values, [&] { return normal(random); });
    switch (weights_.activation()) {
        case Activation::f32:
            std::memcpy(x_.data(), values.data(), x_.size());
            break;
        case Activation::q8_0:
            kernels.quantize_q8_0(values.data(), reinterpret_cast<ActivationQ8_0*>(x_.data()), width * n_rows);
            break;
        case Activation::q8_k:
            kernels.quantize_q8_k(values.data(), reinterpret_cast<ActivationQ8_K*>(x_.data()), width * n_rows);
            break;
    }
}

double MatmulLimit::measure(std::chrono::milliseconds time) {
    const int n_threads = pool_.n_threads();
    const double seconds = least_seconds(time, [&] {
        pool_.run(n_threads, [&](int thread) {
            for (int i = 0; i < repeats; ++i)
                kernels_.matmul({.weights = &weights_,
                                 .first_output = 0,
                                 .n_outputs = n_outputs,
                                 .x = x_.data(),
                                 .x_stride = x_.size() / n_rows,
                                 .n_rows = n_rows,
                                 .y = y_[static_cast<size_t>(thread)].values,
                                 .y_stride = n_outputs});
        });
    });
    return static_cast<double>(n_outputs) * width * n_rows * repeats * n_threads / seconds;
}

MacLimits::MacLimits(ThreadPool& pool, const Kernels& kernels, const std::set<BlockType>& types) : pool_(pool), kernels_(kernels) {
    for (const BlockType type : types)
        if (type != BlockType::f32) limits_.try_emplace(type, pool, kernels, type);
}

MacsByType MacLimits::measure(std::chrono::milliseconds time) {
    MacsByType rates = {{BlockType::f32, measure_float_products(pool_, kernels_, time)}};
    for (auto& [type, limit] : limits_) rates[type] = limit.measure(time);
    return rates;
}

double seconds_at(const MacsByType& rates, const MacsByType& macs) {
    double seconds = 0;
    for (const auto& [type, n] : macs) seconds += n / rates.at(type);
    return seconds;
}

}  // namespace kylin::cli
