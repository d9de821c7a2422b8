// The row operations and the exponential: close to their definitions in double, and the same bits in every table.
#include <cmath>
#include <gtest/gtest.h>
#include <limits>

#include "blocks.h"
#include "kernels/recipes/math.h"

namespace kylin {
namespace {

using testing::gaussian;
using testing::Random;
using testing::same_bits;

constexpr double u = 0x1p-24;  // the rounding error of one float operation, relative
constexpr float inf = std::numeric_limits<float>::infinity();
const float not_a_number = std::numeric_limits<float>::quiet_NaN();

// Odd lengths for every tail, and the widths of real models.
std::vector<int> lengths() {
    std::vector<int> n = {80, 128, 896, 1000, 1024, 3072};
    for (int i = 1; i <= 70; ++i) n.push_back(i);
    return n;
}

// A row with a guard after it, which no operation may touch.
std::vector<float> guarded(int n) { return std::vector<float>(static_cast<size_t>(n) + 8, 12345.0f); }
bool guard_holds(const std::vector<float>& row, int n) {
    return std::all_of(row.begin() + n, row.end(), [](float x) { return x == 12345.0f; });
}

float from_bits(uint32_t bits) { return std::bit_cast<float>(bits); }

// Every 4093rd float of all: 2^32 / 4093 values, denormals, infinities and NaNs among them.
template <class Check>
void sweep_floats(Check check) {
    constexpr uint32_t step = 4093, count = std::numeric_limits<uint32_t>::max() / step;
    std::vector<float> x(1024);
    for (uint32_t first = 0; first < count; first += 1024) {
        for (uint32_t i = 0; i < 1024; ++i) x[i] = from_bits((first + i) * step);
        check(x);
    }
}

float exp_of(float x) {
    float y[8];
    ScalarFloats::store(y, exp<ScalarFloats>(ScalarFloats::splat(x)));
    return y[3];
}

double ulp(double exact) { return std::ldexp(1.0, std::max(std::ilogb(exact) - 23, -149)); }

// math.h promises 0.9 ulp.
TEST(Exp, IsWithinItsBound) {
    double worst = 0;
    sweep_floats([&](const std::vector<float>& xs) {
        for (size_t i = 0; i < xs.size(); i += 8) {
            float y[8];
            ScalarFloats::store(y, exp<ScalarFloats>(ScalarFloats::load_f32(&xs[i])));
            for (size_t lane = 0; lane < 8; ++lane) {
                const double exact = std::exp(static_cast<double>(xs[i + lane]));
                if (!(exact < 0x1p128) || exact < 0x1p-150) continue;
                worst = std::max(worst, std::abs(static_cast<double>(y[lane]) - exact) / ulp(exact));
            }
        }
    });
    // Densely where attention and silu use it.
    for (double x = -20; x <= 20; x += 1.0 / 65536) {
        const float rounded = static_cast<float>(x);
        const double exact = std::exp(static_cast<double>(rounded));
        worst = std::max(worst, std::abs(static_cast<double>(exp_of(rounded)) - exact) / ulp(exact));
    }
    EXPECT_LT(worst, 0.9);
    RecordProperty("worst_ulp", std::to_string(worst));
}

TEST(Exp, EndsAsItShould) {
    EXPECT_EQ(exp_of(0.0f), 1.0f);
    EXPECT_EQ(exp_of(-0.0f), 1.0f);
    EXPECT_EQ(exp_of(-inf), 0.0f);
    EXPECT_EQ(exp_of(-104.0f), 0.0f);
    EXPECT_EQ(exp_of(-1e30f), 0.0f);
    EXPECT_EQ(exp_of(-103.2789f), 0x1p-149f);
    EXPECT_EQ(exp_of(inf), inf);
    EXPECT_EQ(exp_of(88.7229f), inf);
    EXPECT_LT(exp_of(88.7228f), inf);
    EXPECT_TRUE(std::isnan(exp_of(not_a_number)));
}

class Rows : public ::testing::TestWithParam<const Kernels*> {
protected:
    const Kernels& kernels() const { return *GetParam(); }
    const Kernels& scalar() const { return select_kernels("scalar"); }
};

// Three roundings per value (the scale, the product with it, the product with the weight); the sum in double adds nothing visible.
TEST_P(Rows, RmsNormIsTheDefinition) {
    Random random(1);
    for (const float magnitude : {1.0f, 1e-15f, 1e15f, 14000.0f})
        for (const int n : lengths()) {
            const auto x = gaussian(static_cast<size_t>(n), random, magnitude), w = gaussian(static_cast<size_t>(n), random);
            const float eps = 1e-6f;
            double sum = 0;
            for (const float v : x) sum += static_cast<double>(v) * static_cast<double>(v);
            const double scale = 1 / std::sqrt(sum / n + static_cast<double>(eps));
            auto y = guarded(n), expected = guarded(n);
            kernels().rms_norm(x.data(), w.data(), eps, n, y.data());
            scalar().rms_norm(x.data(), w.data(), eps, n, expected.data());
            ASSERT_TRUE(guard_holds(y, n));
            for (size_t i = 0; i < x.size(); ++i) {
                const double exact = static_cast<double>(x[i]) * scale * static_cast<double>(w[i]);
                ASSERT_NEAR(static_cast<double>(y[i]), exact, 3.01 * u * std::abs(exact)) << "n " << n << " i " << i;
                ASSERT_TRUE(same_bits(y[i], expected[i])) << "n " << n << " i " << i;
            }
            auto in_place = x;
            kernels().rms_norm(in_place.data(), w.data(), eps, n, in_place.data());
            for (size_t i = 0; i < x.size(); ++i) ASSERT_EQ(in_place[i], y[i]);
        }
}

// Squares that overflow or vanish in float do neither here.
TEST_P(Rows, RmsNormSurvivesExtremes) {
    const std::vector<float> ones(40, 1.0f);
    for (const float magnitude : {1e-38f, 1e-30f, 1e25f, 3e38f}) {
        std::vector<float> x(40, magnitude), y(40);
        kernels().rms_norm(x.data(), ones.data(), 0.0f, 40, y.data());
        for (const float v : y) EXPECT_NEAR(v, 1.0, 2.01 * u) << magnitude;
    }
    std::vector<float> zeros(40, 0.0f), y(40);
    kernels().rms_norm(zeros.data(), ones.data(), 1e-6f, 40, y.data());
    EXPECT_EQ(y, zeros);
}

TEST_P(Rows, RmsNormPassesNonFiniteValuesOn) {
    const std::vector<float> ones(40, 1.0f);
    for (const size_t at : {0u, 7u, 33u, 39u}) {
        std::vector<float> x(40, 2.0f), y(40);
        x[at] = not_a_number;
        kernels().rms_norm(x.data(), ones.data(), 1e-6f, 40, y.data());
        for (const float v : y) EXPECT_TRUE(std::isnan(v));
        x[at] = inf;
        kernels().rms_norm(x.data(), ones.data(), 1e-6f, 40, y.data());
        for (size_t i = 0; i < 40; ++i) EXPECT_TRUE(i == at ? std::isnan(y[i]) : y[i] == 0.0f) << i;
    }
}

// Two products and a sum, each rounded once.
TEST_P(Rows, RopeIsTheDefinition) {
    Random random(2);
    for (const int head_dim : {2, 4, 10, 64, 80, 96, 128, 256})
        for (const int n_dims : {head_dim, head_dim / 2 / 2 * 2, 2})
            for (const bool neox : {true, false}) {
                const size_t half = static_cast<size_t>(n_dims / 2);
                std::vector<float> cos(half), sin(half);
                for (size_t i = 0; i < half; ++i) {
                    const double angle = 777.0 * std::pow(1e6, -static_cast<double>(i) / static_cast<double>(half));
                    cos[i] = static_cast<float>(std::cos(angle));
                    sin[i] = static_cast<float>(std::sin(angle));
                }
                const auto x = gaussian(static_cast<size_t>(head_dim), random, 5);
                const RopeTask task{head_dim, n_dims, neox, cos.data(), sin.data()};
                auto y = guarded(head_dim), expected = guarded(head_dim), in_place = x;
                kernels().rope(task, x.data(), y.data());
                scalar().rope(task, x.data(), expected.data());
                kernels().rope(task, in_place.data(), in_place.data());
                ASSERT_TRUE(guard_holds(y, head_dim));
                for (size_t i = 0; i < half; ++i) {
                    const size_t i0 = neox ? i : 2 * i, i1 = neox ? i + half : 2 * i + 1;
                    const double x0 = static_cast<double>(x[i0]), x1 = static_cast<double>(x[i1]);
                    const double c = static_cast<double>(cos[i]), s = static_cast<double>(sin[i]);
                    ASSERT_NEAR(static_cast<double>(y[i0]), x0 * c - x1 * s, 2.01 * u * (std::abs(x0 * c) + std::abs(x1 * s)));
                    ASSERT_NEAR(static_cast<double>(y[i1]), x0 * s + x1 * c, 2.01 * u * (std::abs(x0 * s) + std::abs(x1 * c)));
                }
                for (size_t i = 0; i < x.size(); ++i) {
                    ASSERT_TRUE(same_bits(y[i], expected[i]) && same_bits(y[i], in_place[i])) << head_dim << " " << n_dims << " " << i;
                    ASSERT_TRUE(i < 2 * half || y[i] == x[i]) << "dimensions beyond n_dims are copied";
                }
            }
}

TEST_P(Rows, RopeByNothingIsExact) {
    Random random(3);
    const auto x = gaussian(128, random);
    const std::vector<float> ones(64, 1.0f), zeros(64, 0.0f);
    for (const bool neox : {true, false}) {
        std::vector<float> y(128);
        kernels().rope({128, 128, neox, ones.data(), zeros.data()}, x.data(), y.data());
        EXPECT_EQ(y, x);
    }
}

// silu: exp within 1 ulp (2^-23), the sum, the quotient and the product 2^-24 each: together below 5 u relative to the result,
// for gates whose exp(-gate) is finite.
TEST_P(Rows, SiluMulIsTheDefinition) {
    Random random(4);
    for (const int n : lengths()) {
        const auto gate = gaussian(static_cast<size_t>(n), random, 10), up = gaussian(static_cast<size_t>(n), random);
        auto y = guarded(n);
        kernels().silu_mul(gate.data(), up.data(), y.data(), n);
        ASSERT_TRUE(guard_holds(y, n));
        for (size_t i = 0; i < gate.size(); ++i) {
            const double g = static_cast<double>(gate[i]), exact = g / (1 + std::exp(-g)) * static_cast<double>(up[i]);
            ASSERT_NEAR(static_cast<double>(y[i]), exact, 5 * u * std::abs(exact)) << gate[i];
        }
        auto in_gate = gate, in_up = up;
        kernels().silu_mul(in_gate.data(), up.data(), in_gate.data(), n);
        kernels().silu_mul(gate.data(), in_up.data(), in_up.data(), n);
        for (size_t i = 0; i < gate.size(); ++i) ASSERT_TRUE(in_gate[i] == y[i] && in_up[i] == y[i]);
    }
}

TEST_P(Rows, SiluEndsAsItShould) {
    const std::vector<float> gate = {0.0f, 1e30f, inf, -1e30f, -100.0f, not_a_number, 88.0f, -0.0f}, ones(8, 1.0f);
    std::vector<float> y(8);
    kernels().silu_mul(gate.data(), ones.data(), y.data(), 8);
    EXPECT_EQ(y[0], 0.0f);
    EXPECT_EQ(y[1], 1e30f);
    EXPECT_EQ(y[2], inf);
    EXPECT_EQ(y[3], 0.0f);
    EXPECT_NEAR(y[4], 0.0, 1e-36);
    EXPECT_TRUE(std::isnan(y[5]));
    EXPECT_EQ(y[6], 88.0f);
    EXPECT_EQ(y[7], 0.0f);
}

// Also the test that exp has the same bits in every table.
TEST_P(Rows, SiluMulHasTheScalarBitsForAllFloats) {
    const std::vector<float> ones(1024, 1.0f);
    std::vector<float> y(1024), expected(1024);
    sweep_floats([&](const std::vector<float>& x) {
        kernels().silu_mul(x.data(), ones.data(), y.data(), 1024);
        scalar().silu_mul(x.data(), ones.data(), expected.data(), 1024);
        for (size_t i = 0; i < 1024; ++i) ASSERT_TRUE(same_bits(y[i], expected[i])) << x[i] << ": " << y[i] << " is not " << expected[i];
    });
}

TEST_P(Rows, AddIsTheSum) {
    Random random(5);
    for (const int n : lengths()) {
        const auto a = gaussian(static_cast<size_t>(n), random), b = gaussian(static_cast<size_t>(n), random);
        auto y = guarded(n), in_place = a;
        kernels().add(a.data(), b.data(), y.data(), n);
        kernels().add(in_place.data(), b.data(), in_place.data(), n);
        ASSERT_TRUE(guard_holds(y, n));
        for (size_t i = 0; i < a.size(); ++i) ASSERT_TRUE(y[i] == a[i] + b[i] && in_place[i] == y[i]);
    }
}

TEST_P(Rows, PeaksAreTheLargestOfEvery64) {
    Random random(6);
    for (const int n : lengths()) {
        auto x = gaussian(static_cast<size_t>(n), random, 10);
        const size_t n_found = n_peaks(x.size());
        for (int round = 0; round < 2; ++round) {
            auto peaks = guarded(static_cast<int>(n_found)), twin = peaks;
            kernels().find_peaks(x.data(), n, peaks.data());
            scalar().find_peaks(x.data(), n, twin.data());
            ASSERT_TRUE(guard_holds(peaks, static_cast<int>(n_found)));
            for (size_t i = 0; i < n_found; ++i) {
                const auto first = x.begin() + static_cast<std::ptrdiff_t>(i * peak_width);
                ASSERT_EQ(peaks[i], *std::max_element(first, std::min(first + peak_width, x.end()))) << n;
                ASSERT_TRUE(same_bits(peaks[i], twin[i])) << n;
            }
            for (float& value : x) value = -std::abs(value);  // what lies beyond the end reads as 0, which would be the largest
        }
    }
}

TEST_P(Rows, PeaksTellWhereAValueIsNotFinite) {
    for (const int n : {1, 7, 64, 200})
        for (const float bad : {inf, -inf, not_a_number})
            for (int at = 0; at < n; ++at) {
                std::vector<float> x(static_cast<size_t>(n), -1e38f), peaks(n_peaks(x.size()));
                x[static_cast<size_t>(at)] = bad;
                kernels().find_peaks(x.data(), n, peaks.data());
                for (size_t i = 0; i < peaks.size(); ++i)
                    ASSERT_EQ(std::isnan(peaks[i]), i == static_cast<size_t>(at) / peak_width) << bad << " at " << at << " of " << n;
            }
}

INSTANTIATE_TEST_SUITE_P(Tables, Rows, ::testing::ValuesIn(usable_kernels()),
                         [](const auto& param_info) { return std::string(param_info.param->name); });

}  // namespace
}  // namespace kylin
