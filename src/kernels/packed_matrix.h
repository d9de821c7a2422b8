// A weight matrix laid out for the kernels: panels of 8 outputs, one layout for one row or many.
#pragma once
#include <cstddef>
#include <span>

#include "gguf/block_types.h"
#include "kernels/kernels.h"

namespace kylin {

inline constexpr int panel_outputs = 8;

class PackedMatrix {
public:
    PackedMatrix() = default;
    // Reserves the packed bytes; nothing is valid until every panel was packed. Types without kernels of their own are held as F32.
    PackedMatrix(BlockType source_type, int n_outputs, int width);
    PackedMatrix(PackedMatrix&& other) noexcept;
    PackedMatrix& operator=(PackedMatrix&& other) noexcept;
    ~PackedMatrix();

    // Packs panels [first, first + n) out of the whole source matrix (row-major, source type). Disjoint ranges may run in parallel.
    void pack(std::span<const std::byte> source, int first_panel, int n_panels);

    BlockType source_type() const { return source_type_; }
    BlockType type() const { return type_; }  // as packed
    Activation activation() const;
    int n_outputs() const { return n_outputs_; }
    int width() const { return width_; }
    int n_panels() const { return (n_outputs_ + panel_outputs - 1) / panel_outputs; }
    size_t panel_bytes() const { return panel_bytes_; }
    size_t bytes() const { return static_cast<size_t>(n_panels()) * panel_bytes_; }
    const std::byte* panel(int p) const { return data_ + static_cast<size_t>(p) * panel_bytes_; }

private:
    BlockType source_type_ = BlockType::f32, type_ = BlockType::f32;
    int n_outputs_ = 0, width_ = 0;
    size_t panel_bytes_ = 0;
    std::byte* data_ = nullptr;  // 64-byte aligned, owned
};

}  // namespace kylin
