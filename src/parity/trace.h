// A trace: the stages of one run, by name, as a safetensors file that any engine can write (format kylin.trace/1, docs/trace-format.md).
// Grammar of the file: u64:n  JSON of n bytes {"__metadata__": {string: string}, name: {"dtype", "shape", "data_offsets"}}  data
// Traces are larger than memory: rows are written as they arrive and read as they are needed.
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/atomic_file.h"
#include "base/file_descriptor.h"

namespace kylin::parity {

enum class TraceElement : uint8_t { f16, f32, f64 };

struct TraceAbout {
    std::string engine, numerics;
    std::vector<int32_t> tokens;
    int n_prompt = 0;  // the first tokens ran as one batch, the others one at a time
};

// Row-major. Rows of tokens: [n_tokens, width] or [n_tokens, n_heads, head_dim]; scores and probabilities: [n_heads, n_tokens, n_keys].
struct TraceTensor {
    std::vector<size_t> shape;
    TraceElement element = TraceElement::f32;
    uint64_t offset = 0;        // of the first value, from the start of the data
    std::vector<int32_t> rows;  // the tokens whose rows it holds, ascending; empty: all (metadata rows.NAME)
    size_t n_values() const;
};

class TraceReader {
public:
    // Throws InputError naming the file, and where possible the offset, for anything that is not a whole, consistent trace.
    static TraceReader open(const std::filesystem::path& path);

    const std::filesystem::path& path() const { return path_; }
    const TraceAbout& about() const { return about_; }
    size_t n_tokens() const { return about_.tokens.size(); }
    const std::map<std::string, TraceTensor>& tensors() const { return tensors_; }
    const TraceTensor* find(const std::string& name) const;
    // Values first .. first + out.size() - 1 of a tensor. Throws InputError when the file no longer holds them.
    void read(const TraceTensor& tensor, size_t first, std::span<double> out) const;

private:
    void parse_header(std::span<const char> text, uint64_t data_bytes);
    void parse_rows(const std::string& name, const std::string& list);
    void read_bytes(uint64_t offset, std::span<std::byte> out) const;

    std::filesystem::path path_;
    FileDescriptor file_;
    uint64_t data_ = 0;  // offset of the data in the file
    TraceAbout about_;
    std::map<std::string, TraceTensor> tensors_;
};

class TraceWriter {
public:
    // The file appears with finish(). `header_bytes` is kept free at its start: see header_room.
    TraceWriter(const std::filesystem::path& path, TraceElement element, size_t header_bytes);
    // Values of a tensor from its value `first` on. The first call for a name sets its shape; what is never written is zero.
    void write(const std::string& name, const std::vector<size_t>& shape, size_t first, std::span<const double> values);
    // Makes the file visible. Throws std::length_error when the header outgrew its room.
    void finish(const TraceAbout& about);

private:
    AtomicFile file_;
    TraceElement element_;
    size_t header_bytes_;
    uint64_t data_bytes_ = 0;
    std::map<std::string, TraceTensor> tensors_;
};

// Enough for the names and extents of that many tensors, and for that many token ids.
size_t header_room(size_t n_tensors, size_t n_tokens);

}  // namespace kylin::parity
