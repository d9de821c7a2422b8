// Numbers that a hand can check.
#include "gguf/weight_statistics.h"

#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <limits>
#include <vector>

#include "gguf/block_codec.h"

namespace kylin::gguf {
namespace {

const std::byte* bytes_of(const std::vector<float>& values) { return reinterpret_cast<const std::byte*>(values.data()); }

TEST(WeightStatistics, MomentsOfAFewNumbers) {
    WeightStatistics s;
    s.add_row(BlockType::f32, bytes_of({1, 3}), 2);
    s.add_row(BlockType::f32, bytes_of({5, 7}), 2);
    EXPECT_EQ(s.min(), 1);
    EXPECT_EQ(s.max(), 7);
    EXPECT_EQ(s.mean(), 4);
    EXPECT_DOUBLE_EQ(s.standard_deviation(), std::sqrt(5.0));
    EXPECT_EQ(s.n_finite(), 4u);
    EXPECT_FALSE(s.has_scales());
}

TEST(WeightStatistics, BrokenValuesAreCountedAndLeftOut) {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    WeightStatistics s;
    s.add_row(BlockType::f32, bytes_of({2, std::nanf(""), infinity, -infinity, 4}), 5);
    EXPECT_EQ(s.n_nan(), 1u);
    EXPECT_EQ(s.n_inf(), 2u);
    EXPECT_EQ(s.mean(), 3);
    EXPECT_EQ(s.max(), 4);
}

TEST(WeightStatistics, NothingFinite) {
    WeightStatistics s;
    s.add_row(BlockType::f32, bytes_of({std::nanf("")}), 1);
    EXPECT_EQ(s.mean(), 0);
    EXPECT_EQ(s.standard_deviation(), 0);
    EXPECT_EQ(s.min(), 0);
}

TEST(WeightStatistics, MergingIsAddingInOrder) {
    WeightStatistics all, first, second;
    all.add_row(BlockType::f32, bytes_of({1, 2}), 2);
    all.add_row(BlockType::f32, bytes_of({-3, 4}), 2);
    first.add_row(BlockType::f32, bytes_of({1, 2}), 2);
    second.add_row(BlockType::f32, bytes_of({-3, 4}), 2);
    first.merge(second);
    EXPECT_EQ(first.mean(), all.mean());
    EXPECT_EQ(first.standard_deviation(), all.standard_deviation());
    EXPECT_EQ(first.min(), -3);
}

// The scale is found where each type keeps it: two blocks, of which the second is twice the first.
TEST(WeightStatistics, ScalesOfEveryBlockType) {
    for (const BlockTypeInfo& t : block_type_table) {
        if (t.values == 1) continue;
        std::vector<float> values(2 * t.values);
        for (size_t i = 0; i < t.values; ++i) values[i] = static_cast<float>(i % 7) - 3;
        for (size_t i = 0; i < t.values; ++i) values[t.values + i] = 2 * values[i];
        std::vector<std::byte> blocks(row_bytes(t.type, values.size()));
        quantize_row(t.type, values.data(), blocks.data(), static_cast<int>(values.size()));
        WeightStatistics s;
        s.add_row(t.type, blocks.data(), static_cast<int>(values.size()));
        EXPECT_TRUE(s.has_scales()) << t.name;
        EXPECT_GT(s.least_scale(), 0) << t.name;
        EXPECT_EQ(s.largest_scale(), 2 * s.least_scale()) << t.name;
    }
}

}  // namespace
}  // namespace kylin::gguf
