// How llama.cpp is to run: the options that trace, generate and bench share.
#pragma once
#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace kylin::reference {

struct RunOptions {
    std::string model;
    std::string flash_attn = "off";      // on, off, auto
    std::string kv = "f32";              // type of the K and V cache
    bool rotate_kv = false;              // a quantized cache holds keys and values after a Hadamard rotation
    bool repack = false;                 // llama.cpp's extra buffer types: weights rearranged for the CPU at load
    int threads = 0;                     // 0: one per core
    int ubatch = 0;                      // rows of one forward pass; 0: the whole prompt
    std::vector<std::string> overrides;  // KEY=TYPE:VALUE
    bool verbose = false;                // llama.cpp's log on stderr
};

// The recipe without noise sources: no flash attention, no repacking, an F32 cache, none rotated, the prompt in one pass.
RunOptions clean_run();
// What a user of llama.cpp gets without asking.
RunOptions llama_defaults();

// Adds --model, --flash-attn, --kv, --repack, --threads, --ubatch, --override-kv, --verbose.
// Requires: options outlives the parse.
void add_run_options(CLI::App& app, RunOptions& options);

// "flash-attn=off kv=f32 repack=off threads=2 ubatch=0": what a trace says about its own numerics.
std::string describe(const RunOptions& options);

// "1,2,3" to ids. Throws std::runtime_error on anything else.
std::vector<int> parse_token_list(const std::string& text);

}  // namespace kylin::reference
