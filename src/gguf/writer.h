// Writes GGUF version 3: the header at once, then the data of the tensors in their order, in pieces of any size.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "gguf/file.h"

namespace kylin::gguf {

// A tensor to be written.
struct TensorInfo {
    std::string name;
    BlockType type = BlockType::f32;
    std::array<uint64_t, 4> ne = {1, 1, 1, 1};
    int n_dims = 1;

    uint64_t n_rows() const { return ne[1] * ne[2] * ne[3]; }
    uint64_t n_values() const { return ne[0] * n_rows(); }
    uint64_t bytes() const { return row_bytes(type, n_values()); }
};
TensorInfo info_of(const Tensor& tensor);

using Sink = std::function<void(std::span<const std::byte>)>;

// The header, padded to where the data begins. Data is aligned to the metadata's general.alignment, or to 32.
std::vector<std::byte> header_bytes(std::span<const Entry> metadata, std::span<const TensorInfo> tensors);

// Pads between tensors by itself. Throws std::logic_error when more or less data is given than the header says.
class Writer {
public:
    Writer(Sink sink, std::span<const Entry> metadata, std::vector<TensorInfo> tensors);
    void write(std::span<const std::byte> data);
    void finish();  // all data must have been given

private:
    void pad();

    Sink sink_;
    std::vector<TensorInfo> tensors_;
    uint64_t alignment_;
    size_t tensor_ = 0;     // being written
    uint64_t written_ = 0;  // bytes of it
};

}  // namespace kylin::gguf
