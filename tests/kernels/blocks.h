// Weights and activations for the kernel tests: ordinary ones, and ones at the edge of what their types can hold.
#pragma once
#include <array>
#include <cstring>
#include <random>
#include <vector>

#include "gguf/block_codec.h"
#include "kernels/kernels.h"
#include "kernels/packed_matrix.h"

namespace kylin::testing {

inline constexpr std::array all_types = {BlockType::f32,  BlockType::f16,  BlockType::bf16, BlockType::q4_0,  BlockType::q4_1,
                                         BlockType::q5_0, BlockType::q5_1, BlockType::q8_0, BlockType::q2_k,  BlockType::q3_k,
                                         BlockType::q4_k, BlockType::q5_k, BlockType::q6_k, BlockType::iq4_nl};

using Random = std::mt19937_64;

inline std::vector<float> gaussian(size_t n, Random& random, float scale = 1) {
    std::normal_distribution<float> normal(0, scale);
    std::vector<float> values(n);
    for (float& v : values) v = normal(random);
    return values;
}

inline std::vector<std::byte> quantized(BlockType type, const std::vector<float>& values) {
    std::vector<std::byte> blocks(row_bytes(type, values.size()));
    quantize_row(type, values.data(), blocks.data(), static_cast<int>(values.size()));
    return blocks;
}

// Where a block keeps its F16 scales; empty for element types.
inline std::vector<size_t> scale_offsets(BlockType type) {
    switch (type) {
        case BlockType::q4_0:
        case BlockType::q5_0:
        case BlockType::q8_0:
        case BlockType::iq4_nl:
            return {0};
        case BlockType::q4_1:
        case BlockType::q5_1:
        case BlockType::q4_k:
        case BlockType::q5_k:
            return {0, 2};
        case BlockType::q2_k:
            return {offsetof(BlockQ2_K, d), offsetof(BlockQ2_K, dmin)};
        case BlockType::q3_k:
            return {offsetof(BlockQ3_K, d)};
        case BlockType::q6_k:
            return {offsetof(BlockQ6_K, d)};
        default:
            return {};
    }
}

// Blocks with every bit of their quants and sub-scales from `fill`, and F16 scales from `scale`.
template <class Fill, class Scale>
std::vector<std::byte> filled_blocks(BlockType type, size_t n_values, Fill fill, Scale scale) {
    std::vector<std::byte> blocks(row_bytes(type, n_values));
    for (std::byte& b : blocks) b = static_cast<std::byte>(fill());
    for (size_t at = 0; at < blocks.size(); at += info(type).bytes)
        for (const size_t offset : scale_offsets(type)) {
            const uint16_t d = scale();
            std::memcpy(&blocks[at + offset], &d, sizeof d);
        }
    return blocks;
}

// Rows in the form that the matrix reads.
inline std::vector<std::byte> activations(const Kernels& kernels, Activation form, const std::vector<float>& x) {
    const int n = static_cast<int>(x.size());
    std::vector<std::byte> bytes(activation_bytes(form, n));
    if (form == Activation::q8_k)
        kernels.quantize_q8_k(x.data(), reinterpret_cast<ActivationQ8_K*>(bytes.data()), n);
    else if (form == Activation::q8_0)
        kernels.quantize_q8_0(x.data(), reinterpret_cast<ActivationQ8_0*>(bytes.data()), n);
    else
        std::memcpy(bytes.data(), x.data(), bytes.size());
    return bytes;
}

inline PackedMatrix packed(BlockType type, int n_outputs, int width, std::span<const std::byte> source, Packing packing = Packing::plain) {
    PackedMatrix matrix(type, n_outputs, width, nullptr, packing);
    matrix.pack(source, 0, matrix.n_panels());
    return matrix;
}

// y[rows][n_outputs], the whole matrix.
inline std::vector<float> matmul(const Kernels& kernels, const PackedMatrix& w, const std::vector<std::byte>& x, int rows) {
    std::vector<float> y(static_cast<size_t>(rows * w.n_outputs()));
    kernels.matmul(
        {&w, 0, w.n_outputs(), x.data(), activation_bytes(w.activation(), w.width()), rows, y.data(), static_cast<size_t>(w.n_outputs())});
    return y;
}

// Bit for bit; any NaN equals any NaN (which operand's payload survives is not part of the promise).
inline bool same_bits(float a, float b) {
    uint32_t x, y;
    std::memcpy(&x, &a, 4);
    std::memcpy(&y, &b, 4);
    return x == y || (a != a && b != b);
}

}  // namespace kylin::testing
