// A Kylin trace, written as the values arrive.
//   file    = u64 little-endian header length, header, data            (safetensors)
//   header  = JSON {"__metadata__": {"format": "kylin.trace/1", ...}, NAME: {"dtype": "F32", "shape", "data_offsets"}, ...}
// The header's size is not known before the last value, so room is kept for it and filled with spaces.
#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace kylin::reference {

class TraceFile {
public:
    // Writes beside path; path itself appears, complete, with finish().
    TraceFile(std::string path, size_t header_room);
    ~TraceFile();
    TraceFile(const TraceFile&) = delete;
    TraceFile& operator=(const TraceFile&) = delete;

    void describe(const std::string& key, const std::string& value) { metadata_[key] = value; }
    // Room for a tensor; the same name again must have the same shape. What is never written is zero.
    void declare(const std::string& name, const std::vector<size_t>& shape);
    // Values of a declared tensor from its element `first` on.
    void write(const std::string& name, size_t first, std::span<const float> values);
    void finish();
    size_t n_tensors() const { return order_.size(); }

private:
    struct Tensor {
        std::vector<size_t> shape;
        size_t n_elements = 0;
        size_t begin = 0;  // bytes from the start of the data
    };
    void write_at(size_t offset, const void* bytes, size_t n);
    [[noreturn]] void fail(const std::string& what) const;

    std::string path_, unfinished_;
    int file_ = -1;
    size_t header_room_;
    size_t data_size_ = 0;
    std::map<std::string, std::string> metadata_;
    std::map<std::string, Tensor> tensors_;
    std::vector<std::string> order_;
};

}  // namespace kylin::reference
