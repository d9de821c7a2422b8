// What this machine can do at most, measured where a benchmark runs: the figures that tokens per second are held against.
#pragma once
#include <chrono>
#include <map>
#include <set>
#include <vector>

#include "gguf/block_types.h"
#include "kernels/kernels.h"
#include "kernels/packed_matrix.h"
#include "kernels/thread_pool.h"
#include "model/stage_clock.h"

namespace kylin::cli {

// Bytes per second that all threads together can read from memory, from a buffer far beyond the caches.
double measure_read_bandwidth(ThreadPool& pool);

// The matrix kernel for a weight type, weights and rows in the cache. The pool and the kernels must outlive it.
class MatmulLimit {
public:
    MatmulLimit(ThreadPool& pool, const Kernels& kernels, BlockType type);
    double measure(std::chrono::milliseconds time);  // multiply-accumulates per second of all threads together

private:
    static constexpr int n_outputs = 64, n_rows = 64;
    struct alignas(64) Outputs {
        float values[n_outputs * n_rows];
    };

    ThreadPool& pool_;
    const Kernels& kernels_;
    PackedMatrix weights_;
    std::vector<std::byte> x_;
    std::vector<Outputs> y_;  // of each thread
};

// Multiply-accumulates per second by type: those kernels' for the types of a model, and for F32 what the processor can do in registers.
class MacLimits {
public:
    MacLimits(ThreadPool& pool, const Kernels& kernels, const std::set<BlockType>& types);
    MacsByType measure(std::chrono::milliseconds time);  // `time` for each type

private:
    ThreadPool& pool_;
    const Kernels& kernels_;
    std::map<BlockType, MatmulLimit> limits_;
};

// Seconds that these multiply-accumulates take if each type runs at its rate.
double seconds_at(const MacsByType& rates, const MacsByType& macs);

}  // namespace kylin::cli
