// Q8_0 and Q8_K activations: each table against the definitions of ggml, written out here once more.
#include <cmath>
#include <gtest/gtest.h>
#include <limits>

#include "blocks.h"

namespace kylin {
namespace {

using testing::gaussian;
using testing::Random;

constexpr float infinity = std::numeric_limits<float>::infinity();

ActivationQ8_0 reference_q8_0(const float* x) {
    float amax = 0;
    for (int i = 0; i < 32; ++i) amax = std::max(amax, std::fabs(x[i]));
    const float d = amax / 127;
    const float id = d != 0 ? 1.0f / d : 0.0f;
    ActivationQ8_0 y{.d = f16_to_f32(f32_to_f16(d)), .sum = 0, .qs = {}};
    for (int i = 0; i < 32; ++i) {
        y.qs[i] = static_cast<int8_t>(roundf(x[i] * id));
        y.sum += y.qs[i];
    }
    return y;
}

// ggml's rounding to the nearest integer: 1.5 * 2^23 leaves the integer in the low bits of the sum.
int nearest_int(float v) {
    const float sum = v + 12582912.0f;
    int bits;
    std::memcpy(&bits, &sum, sizeof bits);
    return (bits & 0x007fffff) - 0x00400000;
}

ActivationQ8_K reference_q8_k(const float* x) {
    float max = 0, amax = 0;
    for (int i = 0; i < 256; ++i)
        if (std::fabs(x[i]) > amax) {
            amax = std::fabs(x[i]);
            max = x[i];
        }
    ActivationQ8_K y{};
    if (amax == 0) return y;
    const float iscale = -127.0f / max;
    for (int i = 0; i < 256; ++i) {
        y.qs[i] = static_cast<int8_t>(std::min(127, nearest_int(iscale * x[i])));
        y.offsets_of_8[i / 8] = static_cast<int16_t>(y.offsets_of_8[i / 8] - 32 * y.qs[i]);
        y.sums_of_16[i / 16] = static_cast<int16_t>(y.sums_of_16[i / 16] + y.qs[i]);
        y.sums_of_32[i / 32] = static_cast<int16_t>(y.sums_of_32[i / 32] + y.qs[i]);
    }
    y.d = 1 / iscale;
    return y;
}

// Rows that try the corners: ties of rounding, one outlier, equal magnitudes of both signs, zeros, the ends of the F32 range.
std::vector<std::vector<float>> finite_rows() {
    Random random(1);
    std::vector<std::vector<float>> rows;
    for (const float scale : {1.0f, 1e-30f, 1e-6f, 1e6f, 1e30f, 5e-36f}) rows.push_back(gaussian(512, random, scale));
    std::vector<float> outlier = gaussian(512, random);
    outlier[77] = -1e30f;
    outlier[300] = 800.0f;
    rows.push_back(outlier);
    rows.push_back(std::vector<float>(512, 0.0f));
    rows.push_back(std::vector<float>(512, -0.0f));
    std::vector<float> ties(512), both_signs(512), largest(512);
    for (size_t i = 0; i < 512; ++i) {
        ties[i] = i % 32 == 5 ? 127.0f : static_cast<float>(i % 253) / 2 - 63;
        both_signs[i] = i % 3 ? 3.5f : -3.5f;
        largest[i] = std::numeric_limits<float>::max() * (i % 2 ? 1.0f : -0.25f);
    }
    rows.insert(rows.end(), {ties, both_signs, largest});
    std::vector<float> single(512, 0.0f);
    single[511] = -1e-20f;
    rows.push_back(single);
    for (int i = 0; i < 200; ++i) rows.push_back(gaussian(512, random, std::ldexp(1.0f, i / 2 - 50)));
    return rows;
}

void expect_equal(const ActivationQ8_0& a, const ActivationQ8_0& b) {
    EXPECT_TRUE(testing::same_bits(a.d, b.d)) << a.d << " " << b.d;
    EXPECT_EQ(a.sum, b.sum);
    EXPECT_TRUE(std::equal(a.qs, a.qs + 32, b.qs));
}
void expect_equal(const ActivationQ8_K& a, const ActivationQ8_K& b) {
    EXPECT_TRUE(testing::same_bits(a.d, b.d)) << a.d << " " << b.d;
    EXPECT_TRUE(std::equal(a.qs, a.qs + 256, b.qs));
    EXPECT_TRUE(std::equal(a.offsets_of_8, a.offsets_of_8 + 32, b.offsets_of_8));
    EXPECT_TRUE(std::equal(a.sums_of_16, a.sums_of_16 + 16, b.sums_of_16));
    EXPECT_TRUE(std::equal(a.sums_of_32, a.sums_of_32 + 8, b.sums_of_32));
}

class Quantize : public ::testing::TestWithParam<const Kernels*> {};

TEST_P(Quantize, Q8_0IsTheReference) {
    for (const auto& x : finite_rows()) {
        std::vector<ActivationQ8_0> y(16);
        GetParam()->quantize_q8_0(x.data(), y.data(), 512);
        for (size_t b = 0; b < 16; ++b) expect_equal(y[b], reference_q8_0(&x[32 * b]));
    }
}

TEST_P(Quantize, Q8_0IsTheFileFormat) {
    Random random(2);
    const std::vector<float> x = gaussian(4096, random);
    std::vector<ActivationQ8_0> y(128);
    GetParam()->quantize_q8_0(x.data(), y.data(), 4096);
    const auto expected = testing::quantized(BlockType::q8_0, x);
    const auto* blocks = reinterpret_cast<const BlockQ8_0*>(expected.data());
    for (size_t b = 0; b < y.size(); ++b) {
        EXPECT_EQ(y[b].d, f16_to_f32(blocks[b].d));
        EXPECT_TRUE(std::equal(y[b].qs, y[b].qs + 32, blocks[b].qs));
    }
}

TEST_P(Quantize, Q8_KIsTheReference) {
    for (const auto& x : finite_rows()) {
        std::vector<ActivationQ8_K> y(2);
        GetParam()->quantize_q8_k(x.data(), y.data(), 512);
        for (size_t b = 0; b < 2; ++b) expect_equal(y[b], reference_q8_k(&x[256 * b]));
    }
}

// -128 never occurs: the integer kernels count on it.
TEST_P(Quantize, NeverReachesMinus128) {
    for (const auto& x : finite_rows()) {
        std::vector<ActivationQ8_0> small(16);
        std::vector<ActivationQ8_K> large(2);
        GetParam()->quantize_q8_0(x.data(), small.data(), 512);
        GetParam()->quantize_q8_k(x.data(), large.data(), 512);
        for (const auto& b : small) EXPECT_EQ(std::count(b.qs, b.qs + 32, int8_t{-128}), 0);
        for (const auto& b : large) EXPECT_EQ(std::count(b.qs, b.qs + 256, int8_t{-128}), 0);
    }
}

TEST_P(Quantize, ANonFiniteValueMakesTheScaleNaN) {
    Random random(3);
    for (const float bad : {infinity, -infinity, std::nanf("")})
        for (const size_t at : {size_t{0}, size_t{31}, size_t{100}, size_t{255}}) {
            std::vector<float> x = gaussian(256, random);
            x[at] = bad;
            std::vector<ActivationQ8_0> small(8);
            ActivationQ8_K large;
            GetParam()->quantize_q8_0(x.data(), small.data(), 256);
            GetParam()->quantize_q8_k(x.data(), &large, 256);
            EXPECT_TRUE(std::isnan(large.d));
            EXPECT_EQ(std::count(large.qs, large.qs + 256, int8_t{0}), 256);
            for (size_t b = 0; b < 8; ++b) EXPECT_EQ(std::isnan(small[b].d), b == at / 32);
        }
}

TEST_P(Quantize, ABlockWithoutAFiniteInverseScaleIsZeros) {
    const std::vector<float> x(256, 1e-39f);
    std::vector<ActivationQ8_0> small(8);
    ActivationQ8_K large;
    GetParam()->quantize_q8_0(x.data(), small.data(), 256);
    GetParam()->quantize_q8_k(x.data(), &large, 256);
    expect_equal(large, ActivationQ8_K{});
    for (const auto& b : small) expect_equal(b, ActivationQ8_0{});
}

INSTANTIATE_TEST_SUITE_P(Isa, Quantize, ::testing::ValuesIn(usable_kernels()),
                         [](const auto& param) { return std::string(param.param->name); });

}  // namespace
}  // namespace kylin
