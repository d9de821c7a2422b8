// Packing loses nothing: a matmul with unit vectors gives back every dequantized weight.
#include "kernels/packed_matrix.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <memory>

#include "base/error.h"
#include "blocks.h"

namespace kylin {
namespace {

using testing::Random;

// Row k is one at input k and zero elsewhere, in any form; the products are then exact.
std::vector<std::byte> unit_vectors(Activation form, int width) {
    const size_t n = static_cast<size_t>(width), stride = activation_bytes(form, width);
    std::vector<std::byte> rows(n * stride);
    for (size_t k = 0; k < n; ++k) {
        std::byte* row = rows.data() + k * stride;
        if (form == Activation::f32) {
            reinterpret_cast<float*>(row)[k] = 1;
        } else if (form == Activation::q8_0) {
            auto& block = reinterpret_cast<ActivationQ8_0*>(row)[k / 32];
            block.d = 1;
            block.sum = 1;
            block.qs[k % 32] = 1;
        } else {
            auto& block = reinterpret_cast<ActivationQ8_K*>(row)[k / 256];
            block.d = 1;
            block.qs[k % 256] = 1;
            block.offsets_of_8[k % 256 / 8] = -32;
            block.sums_of_16[k % 256 / 16] = 1;
            block.sums_of_32[k % 256 / 32] = 1;
        }
    }
    return rows;
}

// Random bits in every quant and sub-scale, moderate F16 scales.
std::vector<std::byte> random_source(BlockType type, size_t n_values, Random& random) {
    if (testing::scale_offsets(type).empty()) return testing::quantized(type, testing::gaussian(n_values, random));
    return testing::filled_blocks(
        type, n_values, [&] { return random() & 255; }, [&] { return static_cast<uint16_t>(0x2800 | (random() & 0x83ff)); });
}

class Packing : public ::testing::TestWithParam<BlockType> {};

TEST_P(Packing, UnitVectorsGiveTheWeightsBack) {
    constexpr int n_outputs = 19, width = 512;
    Random random(11);
    const auto source = random_source(GetParam(), n_outputs * width, random);
    std::vector<float> expected(n_outputs * width);
    dequantize_row(GetParam(), source.data(), expected.data(), n_outputs * width);
    const PackedMatrix matrix = testing::packed(GetParam(), n_outputs, width, source);
    const auto x = unit_vectors(matrix.activation(), width);
    for (const Kernels* kernels : usable_kernels()) {
        const auto y = testing::matmul(*kernels, matrix, x, width);
        for (size_t o = 0; o < n_outputs; ++o)
            for (size_t k = 0; k < width; ++k)
                ASSERT_EQ(y[k * n_outputs + o], expected[o * width + k]) << kernels->name << " output " << o << " input " << k;
    }
}

TEST_P(Packing, PanelsPackInAnyOrder) {
    constexpr int n_outputs = 69, width = 256;
    Random random(12);
    const auto source = random_source(GetParam(), n_outputs * width, random);
    const PackedMatrix whole = testing::packed(GetParam(), n_outputs, width, source);
    PackedMatrix parts(GetParam(), n_outputs, width);
    parts.pack(source, 3, 2);
    parts.pack(source, 0, 1);
    parts.pack(source, 1, 2);
    const auto x = testing::activations(select_kernels("scalar"), whole.activation(), testing::gaussian(width, random));
    EXPECT_EQ(testing::matmul(select_kernels(), whole, x, 1), testing::matmul(select_kernels(), parts, x, 1));
}

TEST_P(Packing, DescribesItself) {
    const PackedMatrix matrix(GetParam(), 69, 768);
    EXPECT_EQ(matrix.source_type(), GetParam());
    EXPECT_EQ(matrix.n_outputs(), 69);
    EXPECT_EQ(matrix.width(), 768);
    EXPECT_EQ(matrix.n_panels(), 5);
    EXPECT_EQ(matrix.bytes(), 5 * matrix.panel_bytes());
    EXPECT_EQ(matrix.panel_bytes() % 64, 0u);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(matrix.panel(1)) % 64, 0u);
    // Q3_K is held in Q6_K's layout. Q2_K, whose scales and minimums become bytes, grows most, the others by a few percent at most.
    const size_t source = panel_outputs * row_bytes(matrix.type(), 768);
    EXPECT_EQ(matrix.type(), GetParam() == BlockType::q3_k ? BlockType::q6_k : GetParam());
    EXPECT_GE(matrix.panel_bytes(), source);
    EXPECT_LE(matrix.panel_bytes(), source + source / (GetParam() == BlockType::q2_k ? 3 : 16));
}

INSTANTIATE_TEST_SUITE_P(Type, Packing, ::testing::ValuesIn(testing::all_types),
                         [](const auto& param) { return std::string(kylin::info(param.param).name); });

TEST(PackedMatrix, TakesItsBytesFromMemoryThatOutlivesItsOwner) {
    constexpr int n_outputs = 19, width = 64;
    Random random(13);
    const auto source = testing::quantized(BlockType::q8_0, testing::gaussian(n_outputs * width, random));
    const PackedMatrix expected = testing::packed(BlockType::q8_0, n_outputs, width, source);
    auto memory = std::make_shared<WeightMemory>(2 * PackedMatrix::bytes_for(BlockType::q8_0, n_outputs, width));
    PackedMatrix first(BlockType::q8_0, n_outputs, width, memory), second(BlockType::q8_0, n_outputs, width, memory);
    memory.reset();
    first.pack(source, 0, first.n_panels());
    second.pack(source, 0, second.n_panels());
    EXPECT_EQ(second.panel(0), first.panel(0) + first.bytes());
    for (const PackedMatrix& matrix : {first, second})
        EXPECT_TRUE(std::equal(matrix.panel(0), matrix.panel(0) + matrix.bytes(), expected.panel(0)));
}

TEST(PackedMatrix, RefusesASourceOfAnotherSize) {
    PackedMatrix matrix(BlockType::f32, 8, 16);
    const std::vector<std::byte> source(8 * 16 * 4 - 1);
    EXPECT_THROW(matrix.pack(source, 0, 1), InputError);
}

}  // namespace
}  // namespace kylin
