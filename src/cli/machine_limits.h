// What this machine can do at most, measured where a benchmark runs: the figures that tokens per second are held against.
#pragma once
#include "gguf/block_types.h"
#include "kernels/kernels.h"
#include "kernels/thread_pool.h"

namespace kylin::cli {

// Bytes per second that all threads together can read from memory, from a buffer far beyond the caches.
double measure_read_bandwidth(ThreadPool& pool);

// Multiply-accumulates per second of all threads together in the matrix kernel for a weight type, weights and rows in the cache.
double measure_matmul(ThreadPool& pool, const Kernels& kernels, BlockType type);

}  // namespace kylin::cli
