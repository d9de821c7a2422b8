// A trace: the stages of one run, by name, as a safetensors file that any engine can write (format kylin.trace/1).
// Grammar of the file: u64:n  JSON of n bytes {"__metadata__": {string: string}, name: {"dtype", "shape", "data_offsets"}}  data
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace kylin::parity {

// Row-major. Rows of tokens: [n_tokens, width]; scores and probabilities: [n_heads, n_tokens, n_keys].
struct TraceTensor {
    std::vector<size_t> shape;
    std::vector<double> values;
};

struct Trace {
    std::string engine, numerics;
    std::vector<int32_t> tokens;
    int n_prompt = 0;  // the first tokens ran as one batch, the others one at a time
    std::map<std::string, TraceTensor> tensors;
};

enum class TraceElement : uint8_t { f32, f64 };

// The old file or the new one, never half. Throws InputError when the file cannot be written.
void write_trace(const std::filesystem::path& path, const Trace& trace, TraceElement element);

// Throws InputError naming the file for anything that is not a whole, consistent trace.
Trace read_trace(const std::filesystem::path& path);

}  // namespace kylin::parity
