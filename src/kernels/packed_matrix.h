// A weight matrix laid out for the kernels: panels of 16 outputs, one layout for one row or many.
#pragma once
#include <cstddef>
#include <memory>
#include <span>

#include "gguf/block_types.h"
#include "kernels/kernels.h"
#include "kernels/short_floats.h"
#include "kernels/weight_memory.h"

namespace kylin {

inline constexpr int panel_outputs = 16;

// The form in which a matrix of this type in a file reads its inputs once it is packed.
Activation activation_of(BlockType source_type);

// As the type asks for, or F16 and BF16 in 12 bits.
enum class Packing : uint8_t { plain, short_floats };

class PackedMatrix {
public:
    PackedMatrix() = default;
    // Takes the packed bytes from `memory`, or without one from the heap; nothing is valid until every panel was packed. Q3_K is held in
    // Q6_K's layout. `width` must be a multiple of the source type's block, of 64 for short floats.
    PackedMatrix(BlockType source_type, int n_outputs, int width, std::shared_ptr<WeightMemory> memory = nullptr,
                 Packing packing = Packing::plain);

    // What such a matrix takes from memory, outliers apart.
    static size_t bytes_for(BlockType source_type, int n_outputs, int width, Packing packing = Packing::plain);

    // Packs panels [first, first + n) out of the whole source matrix (row-major, source type). Disjoint ranges may run in parallel.
    void pack(std::span<const std::byte> source, int first_panel, int n_panels);

    BlockType source_type() const { return source_type_; }
    Activation activation() const { return activation_of(source_type_); }
    int n_outputs() const { return n_outputs_; }
    int n_panels() const { return (n_outputs_ + panel_outputs - 1) / panel_outputs; }
    size_t bytes() const { return bytes_for(source_type_, n_outputs_, width_, packing_); }

    // What the kernels call is not inline: no copy of it may be compiled for one instruction set and linked into all.
    BlockType type() const;  // as packed
    int width() const;
    size_t panel_bytes() const;
    const std::byte* panel(int p) const;  // 64-byte aligned, laid out as recipes/panel.h says
    Packing packing() const;
    const Outlier* outliers(int p) const;  // ends with no_outlier; null if there can be none

private:
    BlockType source_type_ = BlockType::f32, type_ = BlockType::f32;
    int n_outputs_ = 0, width_ = 0;
    Packing packing_ = Packing::plain;
    size_t panel_bytes_ = 0;
    std::shared_ptr<WeightMemory> memory_;
    std::shared_ptr<std::byte> data_;                              // 64-byte aligned; of copies, too
    std::shared_ptr<std::vector<std::vector<Outlier>>> outliers_;  // by panel, of short floats
};

}  // namespace kylin
