// A matrix or vector of the model, as the file holds it: a view, never a copy.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "gguf/block_types.h"

namespace kylin {

enum class Role : uint8_t {
    vector,  // a norm's weight, or factors
    matrix,  // multiplies rows; may also be looked up, when the output is tied to the embedding
    table,   // looked up only
};

struct Weight {
    int id = -1;  // dense, 0 .. Model::n_weights() - 1; -1: absent
    std::string_view name;
    Role role = Role::vector;
    BlockType type = BlockType::f32;
    int n_outputs = 0;  // rows of the matrix; 1 for a vector
    int width = 0;      // inputs of each output
    std::span<const std::byte> data;

    explicit operator bool() const { return id >= 0; }
    const std::byte* row(int r) const { return data.data() + static_cast<size_t>(r) * row_bytes(type, static_cast<size_t>(width)); }
};

}  // namespace kylin
