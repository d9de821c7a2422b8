// Another engine's program, run to its end.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

namespace kylin::cli {

// How llama.cpp is to run; the defaults are the run without noise sources.
struct LlamaCppOptions {
    std::string flash_attn = "off", kv = "f32", repack = "off";
    int n_threads = 2;
    std::vector<std::string> overrides;  // metadata, KEY=TYPE:VALUE
};

// Writes llama.cpp's trace of these tokens, and of n_decode more, to `output`. Throws InputError with the program's own last words when it
// is missing, fails or crashes.
void trace_llama_cpp(const std::filesystem::path& model, const std::vector<int32_t>& tokens, int n_decode, bool scores,
                     const LlamaCppOptions& options, const std::filesystem::path& output);

}  // namespace kylin::cli
