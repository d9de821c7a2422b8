// The codecs' definitions: known answers from llama.cpp's library, sixteen-bit floats in full, and layouts that a hand can check.
#include "gguf/block_codec.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <limits>

#include "codec_rows.h"
#include "known_codec_answers.h"

namespace kylin {
namespace {

TEST(BlockCodec, QuantizesAsTheKnownAnswers) {
    for (const auto& answer : testing::known_answers) {
        const auto ours = testing::quantized_hash(
            answer.type, [&](const float* x, std::byte* blocks, int n) { quantize_row(answer.type, x, blocks, n); });
        EXPECT_EQ(ours, answer.quantized) << info(answer.type).name;
    }
}

TEST(BlockCodec, DequantizesAsTheKnownAnswers) {
    for (const auto& answer : testing::known_answers) {
        const auto ours = testing::dequantized_hash(
            answer.type, [&](const std::byte* blocks, float* y, int n) { dequantize_row(answer.type, blocks, y, n); });
        EXPECT_EQ(ours, answer.dequantized) << info(answer.type).name;
    }
}

TEST(BlockCodec, EveryTypeButF32HasAKnownAnswer) {
    for (const BlockTypeInfo& t : block_type_table) {
        const bool known = std::any_of(std::begin(testing::known_answers), std::end(testing::known_answers),
                                       [&](const auto& answer) { return answer.type == t.type; });
        EXPECT_EQ(known, t.type != BlockType::f32) << t.name;
    }
}

// What stands for the lost pages of a file (base/mapped_file.h) must be found out.
TEST(BlockCodec, BytesOfOnesAreNaNInEveryType) {
    for (const BlockTypeInfo& t : block_type_table) {
        const std::vector<std::byte> blocks(t.bytes, std::byte{0xFF});
        std::vector<float> y(t.values);
        dequantize_row(t.type, blocks.data(), y.data(), static_cast<int>(t.values));
        for (const float value : y) EXPECT_TRUE(std::isnan(value)) << t.name;
    }
}

TEST(BlockCodec, F32IsCopied) {
    const auto x = testing::make_row(15, 64, 1);
    std::vector<std::byte> blocks(64 * sizeof(float));
    std::vector<float> y(64);
    quantize_row(BlockType::f32, x.data(), blocks.data(), 64);
    dequantize_row(BlockType::f32, blocks.data(), y.data(), 64);
    EXPECT_EQ(x, y);
}

// IEEE 754 binary16, from its definition.
double value_of_half(uint16_t half) {
    const int exponent = (half >> 10) & 31, mantissa = half & 1023;
    const double magnitude = exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
    return half & 0x8000 ? -magnitude : magnitude;
}

TEST(Float16, EveryHalfHasItsValue) {
    for (uint32_t h = 0; h < 65536; ++h) {
        const auto half = static_cast<uint16_t>(h);
        const float value = f16_to_f32(half);
        if ((h & 0x7C00) == 0x7C00) {
            EXPECT_EQ(std::isnan(value), (h & 0x3FF) != 0) << h;
            EXPECT_EQ(std::isinf(value), (h & 0x3FF) == 0) << h;
            EXPECT_EQ(std::signbit(value), (h & 0x8000) != 0) << h;
        } else {
            ASSERT_EQ(static_cast<double>(value), value_of_half(half)) << h;
            ASSERT_EQ(std::signbit(value), (h & 0x8000) != 0) << h;
            ASSERT_EQ(f32_to_f16(value), half) << h;
        }
    }
}

// Between two neighbouring halves: below the middle goes down, above it up, and the middle goes to the even one.
TEST(Float16, RoundsToTheNearestTiesToEven) {
    for (uint32_t h = 0; h < 0x7BFF; ++h) {
        const auto low = static_cast<uint16_t>(h), high = static_cast<uint16_t>(h + 1);
        const auto middle = static_cast<float>((value_of_half(low) + value_of_half(high)) / 2);  // exact: one more bit than a half
        const uint16_t even = h % 2 == 0 ? low : high;
        for (const uint32_t sign : {0x0u, 0x8000u}) {
            const float signed_middle = sign ? -middle : middle;
            ASSERT_EQ(f32_to_f16(signed_middle), even | sign) << h;
            ASSERT_EQ(f32_to_f16(std::nextafter(signed_middle, 0.0f)), low | sign) << h;
            ASSERT_EQ(f32_to_f16(std::nextafter(signed_middle, signed_middle * 2)), high | sign) << h;
        }
    }
}

TEST(Float16, LargeTinyAndBrokenValues) {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    EXPECT_EQ(f32_to_f16(65504.0f), 0x7BFF);
    EXPECT_EQ(f32_to_f16(std::nextafter(65520.0f, 0.0f)), 0x7BFF);
    EXPECT_EQ(f32_to_f16(65520.0f), 0x7C00);
    EXPECT_EQ(f32_to_f16(infinity), 0x7C00);
    EXPECT_EQ(f32_to_f16(-infinity), 0xFC00);
    EXPECT_EQ(f32_to_f16(0x1p-25f), 0x0000);  // half of the smallest: ties to even
    EXPECT_EQ(f32_to_f16(std::nextafter(0x1p-25f, 1.0f)), 0x0001);
    EXPECT_EQ(f32_to_f16(-0.0f), 0x8000);
    EXPECT_EQ(f32_to_f16(std::numeric_limits<float>::denorm_min()), 0x0000);
    EXPECT_EQ(f32_to_f16(std::bit_cast<float>(0x7F800001u)), 0x7E00);
    EXPECT_EQ(f32_to_f16(std::bit_cast<float>(0xFFC12345u)), 0xFE00);
}

TEST(BFloat16, RoundsToTheNearestTiesToEven) {
    for (uint32_t upper = 0; upper < 0x7F80; ++upper) {
        ASSERT_EQ(bf16_to_f32(static_cast<uint16_t>(upper)), std::bit_cast<float>(upper << 16));
        const uint32_t middle = upper << 16 | 0x8000u;
        ASSERT_EQ(f32_to_bf16(std::bit_cast<float>(middle)), upper + upper % 2);
        ASSERT_EQ(f32_to_bf16(std::bit_cast<float>(middle - 1)), upper);
        ASSERT_EQ(f32_to_bf16(std::bit_cast<float>(middle + 1)), upper + 1);
    }
    EXPECT_EQ(f32_to_bf16(std::bit_cast<float>(0x7F800001u)), 0x7FC0);
    EXPECT_EQ(f32_to_bf16(-std::numeric_limits<float>::infinity()), 0xFF80);
}

// Sub-block 5 of a Q4_K block takes bits from three bytes: the fault that engines shipped.
TEST(BlockCodec, ScalesOfTheUpperSubBlocksAreSplit) {
    uint8_t scales[12] = {};
    scales[9] = 0x5A;         // low nibble of the scale 0xA, of the minimum 0x5
    scales[1] = 0xC0 | 0x11;  // upper bits of scale 5: 3; scale 1 is 0x11
    scales[5] = 0x80 | 0x22;  // upper bits of minimum 5: 2; minimum 1 is 0x22
    EXPECT_EQ(unpack_scale_min(scales, 5).scale, 0x3A);
    EXPECT_EQ(unpack_scale_min(scales, 5).min, 0x25);
    EXPECT_EQ(unpack_scale_min(scales, 1).scale, 0x11);
    EXPECT_EQ(unpack_scale_min(scales, 1).min, 0x22);
}

TEST(BlockCodec, Q4_0HoldsTheSecondHalfInTheUpperNibbles) {
    BlockQ4_0 block = {};
    block.d = f32_to_f16(2.0f);
    std::fill(std::begin(block.qs), std::end(block.qs), uint8_t{0x88});  // zero everywhere
    block.qs[3] = 0xF1;
    float y[32];
    dequantize_row(BlockType::q4_0, reinterpret_cast<const std::byte*>(&block), y, 32);
    for (int i = 0; i < 32; ++i) EXPECT_EQ(y[i], i == 3 ? -14.0f : i == 19 ? 14.0f : 0.0f) << i;
}

// A power of two changes exponents only, in the search for scales too, as long as no F16 scale is subnormal.
TEST(BlockCodec, QuantizingCommutesWithPowersOfTwo) {
    for (const BlockTypeInfo& t : block_type_table) {
        auto x = testing::make_row(0, 512, 7);
        std::vector<float> large(512), y(512), y_large(512);
        for (size_t i = 0; i < 512; ++i) {
            x[i] *= 64;
            large[i] = x[i] * 64;
        }
        std::vector<std::byte> blocks(row_bytes(t.type, 512));
        quantize_row(t.type, x.data(), blocks.data(), 512);
        dequantize_row(t.type, blocks.data(), y.data(), 512);
        quantize_row(t.type, large.data(), blocks.data(), 512);
        dequantize_row(t.type, blocks.data(), y_large.data(), 512);
        for (size_t i = 0; i < 512; ++i) ASSERT_EQ(y_large[i], 64 * y[i]) << t.name;
    }
}

// Rounding to the nearest of evenly spaced levels cannot be off by more than half a step, plus what the F16 scale is off.
TEST(BlockCodec, ErrorIsWithinHalfAStep) {
    const auto x = testing::make_row(0, 32, 3);
    float largest = 0;
    for (const float v : x) largest = std::max(largest, std::fabs(v));
    std::vector<std::byte> blocks(row_bytes(BlockType::q8_0, 32));
    std::vector<float> y(32);
    quantize_row(BlockType::q8_0, x.data(), blocks.data(), 32);
    dequantize_row(BlockType::q8_0, blocks.data(), y.data(), 32);
    const float step = largest / 127;
    for (size_t i = 0; i < 32; ++i) EXPECT_LE(std::fabs(x[i] - y[i]), step / 2 + largest * 0x1p-11f) << i;
}

TEST(BlockCodec, BrokenInputsAreSurvived) {
    const float broken[] = {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                            -std::numeric_limits<float>::infinity()};
    for (const BlockTypeInfo& t : block_type_table)
        for (const float value : broken)
            for (const size_t spot : {size_t{0}, size_t{17}, size_t{255}}) {
                auto x = testing::make_row(0, 256, 1);
                x[spot] = value;
                std::vector<std::byte> blocks(row_bytes(t.type, 256));
                std::vector<float> y(256);
                quantize_row(t.type, x.data(), blocks.data(), 256);
                dequantize_row(t.type, blocks.data(), y.data(), 256);
                if (t.values == 1) {
                    EXPECT_FALSE(std::isfinite(y[spot])) << t.name;
                }
            }
}

}  // namespace
}  // namespace kylin
