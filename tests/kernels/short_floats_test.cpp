// Floats in 12 bits give the bits that the same weights give as they are in the file.
#include "kernels/short_floats.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>

#include "blocks.h"

namespace kylin {
namespace {

using testing::gaussian;
using testing::Random;

constexpr int n_outputs = 43, width = 320, max_rows = 21;

// As a checkpoint in BF16 has them, in a file of `type`.
std::vector<std::byte> from_bf16(BlockType type, std::vector<float> values) {
    const auto brain = testing::quantized(BlockType::bf16, values);
    dequantize_row(BlockType::bf16, brain.data(), values.data(), static_cast<int>(values.size()));
    return testing::quantized(type, values);
}

PackedMatrix shortened(BlockType type, std::span<const std::byte> source) {
    return testing::packed(type, n_outputs, width, source, Packing::short_floats);
}

size_t n_outliers(const PackedMatrix& matrix) {
    size_t n = 0;
    for (int p = 0; p < matrix.n_panels(); ++p)
        for (const Outlier* o = matrix.outliers(p); o->at != no_outlier.at; ++o) ++n;
    return n;
}

class ShortFloats : public ::testing::TestWithParam<BlockType> {
protected:
    // Every table, every number of rows.
    static void expect_bits_of_the_file(std::span<const std::byte> source) {
        Random random(31);
        const PackedMatrix plain = testing::packed(GetParam(), n_outputs, width, source), matrix = shortened(GetParam(), source);
        const auto x = testing::activations(select_kernels("scalar"), Activation::f32, gaussian(max_rows * width, random));
        const auto expected = testing::matmul(select_kernels("scalar"), plain, x, max_rows);
        for (const Kernels* kernels : usable_kernels())
            for (int rows = 1; rows <= max_rows; ++rows) {
                const auto y = testing::matmul(*kernels, matrix, x, rows);
                for (size_t i = 0; i < y.size(); ++i)
                    ASSERT_TRUE(testing::same_bits(y[i], expected[i]))
                        << kernels->name << ", " << rows << " rows, value " << i << ": " << y[i] << " is not " << expected[i];
            }
    }
};

TEST_P(ShortFloats, OrdinaryWeights) {
    Random random(32);
    const auto source = from_bf16(GetParam(), gaussian(n_outputs * width, random, 0.02f));
    EXPECT_LT(n_outliers(shortened(GetParam(), source)), size_t{n_outputs * width / 1000});
    expect_bits_of_the_file(source);
}

// In the first and last places of vectors, halves and units; next to each other; a whole row of zeros; what is no number.
TEST_P(ShortFloats, Outliers) {
    Random random(33);
    auto values = gaussian(n_outputs * width, random, 0.02f);
    for (size_t i = 0; i < width; ++i) values[7 * width + i] = 0;
    for (const size_t o : {0u, 3u, 8u, 15u, 16u, 42u})
        for (const size_t i : {0u, 3u, 4u, 7u, 8u, 63u, 64u, 255u, 256u, 319u}) values[o * width + i] = i % 2 ? 3e-7f : 6e4f;
    values[5 * width + 100] = INFINITY;
    values[6 * width + 100] = std::nanf("");
    values[9 * width + 100] = -0.0f;
    values[9 * width + 101] = std::numeric_limits<float>::denorm_min();
    const auto source = from_bf16(GetParam(), values);
    EXPECT_GT(n_outliers(shortened(GetParam(), source)), size_t{width + 50});
    expect_bits_of_the_file(source);
}

TEST_P(ShortFloats, AnyBits) {
    Random random(34);
    std::vector<std::byte> source(n_outputs * width * 2);
    for (std::byte& b : source) b = static_cast<std::byte>(random() & 255);
    expect_bits_of_the_file(source);
}

// The lowest and the highest window of exponents.
TEST_P(ShortFloats, ExponentsAtTheEnds) {
    Random random(35);
    for (const float scale : {1e-40f, 1e-5f, 1e4f, 1e37f})
        expect_bits_of_the_file(from_bf16(GetParam(), gaussian(n_outputs * width, random, scale)));
}

TEST_P(ShortFloats, AMatrixOfTheseIsAQuarterSmaller) {
    EXPECT_EQ(PackedMatrix::bytes_for(GetParam(), 160, 1024, Packing::short_floats), 10u * (64 + 1024 * 16 * 12 / 8));
    EXPECT_EQ(PackedMatrix::bytes_for(GetParam(), 160, 1024), 10u * 1024 * 16 * 2);
}

INSTANTIATE_TEST_SUITE_P(Type, ShortFloats, ::testing::Values(BlockType::f16, BlockType::bf16),
                         [](const auto& param) { return std::string(kylin::info(param.param).name); });

bool suits(BlockType type, const std::vector<std::byte>& source) { return suits_short_floats(type, n_outputs, width, source); }

TEST(SuitsShortFloats, WhatComesFromBf16) {
    Random random(36);
    const auto values = gaussian(n_outputs * width, random, 0.02f);
    EXPECT_TRUE(suits(BlockType::bf16, from_bf16(BlockType::bf16, values)));
    EXPECT_TRUE(suits(BlockType::f16, from_bf16(BlockType::f16, values)));
    EXPECT_FALSE(suits(BlockType::f16, testing::quantized(BlockType::f16, values)));
    EXPECT_FALSE(suits(BlockType::f32, testing::quantized(BlockType::f32, values)));
}

TEST(SuitsShortFloats, NotManyZeros) {
    Random random(37);
    auto values = gaussian(n_outputs * width, random, 0.02f);
    for (size_t i = 0; i < values.size(); i += 20) values[i] = 0;
    EXPECT_FALSE(suits(BlockType::bf16, from_bf16(BlockType::bf16, values)));
}

TEST(SuitsShortFloats, NotOtherShapes) {
    Random random(38);
    const auto source = from_bf16(BlockType::bf16, gaussian(32 * 96, random, 0.02f));
    EXPECT_TRUE(suits_short_floats(BlockType::bf16, 48, 64, source));
    EXPECT_FALSE(suits_short_floats(BlockType::bf16, 32, 96, source));                              // not a multiple of 64
    EXPECT_FALSE(suits_short_floats(BlockType::bf16, 47, 64, source));                              // not its size
    EXPECT_FALSE(suits_short_floats(BlockType::bf16, 8, 64, std::span(source).first(8 * 64 * 2)));  // not one whole panel
}

}  // namespace
}  // namespace kylin
