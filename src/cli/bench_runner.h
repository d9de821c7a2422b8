// What a benchmark asks of an engine, Kylin or another, so that both can be run in turn.
#pragma once
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

#include "numerics/make.h"

namespace kylin::cli {

struct DecodeWork {
    int n;      // tokens, one at a time
    int depth;  // tokens already in the KV cache
};

// Bytes that a token makes an engine read: of the matrices, and for each token before it.
struct Reads {
    double layers = 0, head = 0, of_position = 0;
    double weights() const { return layers + head; }
};

inline double seconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

class BenchRunner {
public:
    virtual ~BenchRunner() = default;
    virtual double load_seconds() const = 0;
    virtual double peak_bytes() = 0;                    // of the engine's process so far
    virtual double prefill(int n) = 0;                  // seconds, from an empty cache
    virtual double decode(const DecodeWork& work) = 0;  // seconds
    virtual double streams(int n, int n_streams) = 0;   // seconds: n tokens of each of n_streams together, from empty caches
    virtual void time_with(StageClock*) {}              // from now on; only Kylin can
    virtual Reads reads() const { return {}; }          // only Kylin knows
};

struct BenchOptions {
    std::filesystem::path model;
    int n_threads;
    int n_context;  // tokens that prefill and decode need at most
    int n_ubatch;   // rows of one prefill step; 0: the engine's own default
    int n_streams;  // most streams that are decoded together
    KvType kv;
    std::string isa;
    std::vector<Technique> without;  // Kylin only
};

// The model must outlive the runner.
std::unique_ptr<BenchRunner> make_kylin_runner(const BenchOptions& options, const Progress& progress);

// llama.cpp in a process of its own, through the reference program. Throws InputError when it is not there or fails.
std::unique_ptr<BenchRunner> make_llama_cpp_runner(const BenchOptions& options, bool flash_attention);

// Seconds from the start of a process of its own to the first token of an answer, the file read, the weights rearranged. Kylin's is
// `kylin run` with a prompt of one word; llama.cpp gets a token for it, and a cache of n_context positions.
double kylin_seconds_to_first_token(const BenchOptions& options);
double llama_cpp_seconds_to_first_token(const BenchOptions& options, bool flash_attention);

}  // namespace kylin::cli
