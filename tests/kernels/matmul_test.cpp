// Every table gives the scalar table's bits for every type, tile and range, and the scalar table is close to a sum in double.
#include <cmath>
#include <gtest/gtest.h>

#include "blocks.h"

namespace kylin {
namespace {

using testing::gaussian;
using testing::Random;

constexpr int max_rows = 70;

std::vector<const Kernels*> vector_kernels() {
    auto tables = usable_kernels();
    tables.pop_back();
    return tables;
}

void expect_same(const std::vector<float>& actual, const std::vector<float>& expected, std::string_view what) {
    for (size_t i = 0; i < actual.size(); ++i)
        ASSERT_TRUE(testing::same_bits(actual[i], expected[i])) << what << " value " << i << ": " << actual[i] << " is not " << expected[i];
}

class Matmul : public ::testing::TestWithParam<std::tuple<const Kernels*, BlockType>> {
protected:
    const Kernels& kernels() const { return *std::get<0>(GetParam()); }
    BlockType type() const { return std::get<1>(GetParam()); }
    const Kernels& scalar() const { return select_kernels("scalar"); }

    void expect_scalar_bits(const PackedMatrix& matrix, const std::vector<std::byte>& x, int rows) const {
        ASSERT_EQ(scalar().name, "scalar");
        ASSERT_NE(kernels().name, "scalar");
        expect_same(testing::matmul(kernels(), matrix, x, rows), testing::matmul(scalar(), matrix, x, rows), kernels().name);
    }
};

TEST_P(Matmul, EveryNumberOfRows) {
    constexpr int n_outputs = 43, width = 512;
    Random random(21);
    const PackedMatrix matrix = testing::packed(type(), n_outputs, width, testing::quantized(type(), gaussian(n_outputs * width, random)));
    const auto x = testing::activations(scalar(), matrix.activation(), gaussian(max_rows * width, random));
    const auto expected = testing::matmul(scalar(), matrix, x, max_rows);
    for (int rows = 1; rows <= max_rows; ++rows) expect_same(testing::matmul(kernels(), matrix, x, rows), expected, kernels().name);
}

TEST_P(Matmul, EveryWidth) {
    Random random(22);
    const int block = static_cast<int>(info(type()).values);
    std::vector<int> widths = {block, 2 * block, 3 * block, 7 * block, 2048};
    if (block == 1) widths = {1, 2, 3, 7, 31, 63, 64, 65, 127, 129, 1000, 3072};
    for (const int width : widths) {
        const size_t n = static_cast<size_t>(width);
        const PackedMatrix matrix = testing::packed(type(), 16, width, testing::quantized(type(), gaussian(16 * n, random)));
        const auto x = testing::activations(scalar(), matrix.activation(), gaussian(40 * n, random));
        for (const int rows : {5, 40}) expect_scalar_bits(matrix, x, rows);
    }
}

// A range writes its outputs and nothing else, and the same bits as the whole.
TEST_P(Matmul, EveryRangeOfOutputs) {
    constexpr int n_outputs = 77, width = 256, most_rows = 50;
    constexpr size_t stride = n_outputs + 6;
    Random random(23);
    const PackedMatrix matrix = testing::packed(type(), n_outputs, width, testing::quantized(type(), gaussian(n_outputs * width, random)));
    const auto x = testing::activations(scalar(), matrix.activation(), gaussian(most_rows * width, random));
    const auto whole = testing::matmul(scalar(), matrix, x, most_rows);
    const auto expect_range = [&](int first, int end, int rows) {
        std::vector<float> y(static_cast<size_t>(rows) * stride, 12345.0f);
        kernels().matmul({&matrix, first, end - first, x.data(), activation_bytes(matrix.activation(), width), rows, y.data(), stride});
        for (size_t r = 0; r < static_cast<size_t>(rows); ++r)
            for (int o = 0; o < static_cast<int>(stride); ++o) {
                const size_t at = static_cast<size_t>(o);
                const float expected = o >= first && o < end ? whole[r * n_outputs + at] : 12345.0f;
                ASSERT_TRUE(testing::same_bits(y[r * stride + at], expected)) << first << ".." << end << " row " << r << " output " << o;
            }
    };
    for (int first = 0; first < n_outputs; first += panel_outputs)
        for (int last = first + panel_outputs; last < n_outputs + panel_outputs; last += panel_outputs)
            for (const int rows : {11, most_rows}) expect_range(first, std::min(last, n_outputs), rows);
}

// Rows wide enough for several blocks of rows in L2, panels, alone and in pairs, unpacked in several parts, the last of each not full.
TEST_P(Matmul, ManyWideRows) {
    constexpr int n_outputs = 53, width = 9472, rows = 70;
    Random random(24);
    const PackedMatrix matrix = testing::packed(type(), n_outputs, width, testing::quantized(type(), gaussian(n_outputs * width, random)));
    const auto x = testing::activations(scalar(), matrix.activation(), gaussian(rows * width, random));
    expect_scalar_bits(matrix, x, rows);
}

std::vector<std::vector<float>> extreme_rows(size_t width) {
    Random random(25);
    std::vector<std::vector<float>> rows;
    rows.push_back(std::vector<float>(width, 1.0f));
    rows.push_back(std::vector<float>(width, -1.0f));
    std::vector<float> alternating(width), outlier = gaussian(width, random), nan = outlier, infinite = outlier;
    for (size_t i = 0; i < width; ++i) alternating[i] = i % 2 ? 1.0f : -1.0f;
    outlier[width / 2] = 1e30f;
    nan[3] = std::nanf("");
    infinite[width - 1] = -INFINITY;
    rows.insert(rows.end(), {alternating, outlier, nan, infinite, std::vector<float>(width, 0.0f)});
    for (const float scale : {1e-38f, 1e-41f, 1e30f, 3e38f / 8}) rows.push_back(gaussian(width, random, scale));
    return rows;
}

// Quants, sub-scales and scales at the ends of their ranges meet activations at theirs: no int16 sum may saturate.
TEST_P(Matmul, ExtremeBlocks) {
    constexpr int n_outputs = 33, width = 512;
    Random random(26);
    std::vector<std::byte> x;
    const auto rows = extreme_rows(width);
    const PackedMatrix shape(type(), n_outputs, width);
    const int n_rows = static_cast<int>(rows.size()), often = 5;  // few, and as many as are multiplied with pairs of unpacked panels
    for (int i = 0; i < often; ++i)
        for (const auto& row : rows) {
            const auto bytes = testing::activations(scalar(), shape.activation(), row);
            x.insert(x.end(), bytes.begin(), bytes.end());
        }
    const std::array<int, 8> fills = {0x00, 0xff, 0x7f, 0x80, 0x0f, 0xf0, 0x55, -1};
    const std::array<uint16_t, 8> scales = {0x3c00, 0xbc00, 0x0000, 0x0001, 0x7bff, 0x7c00, 0xfc00, 0x7e01};
    for (const int fill : fills)
        for (const uint16_t scale : scales) {
            const auto source = testing::filled_blocks(
                type(), n_outputs * width, [&] { return fill < 0 ? random() & 255 : static_cast<uint64_t>(fill); }, [&] { return scale; });
            const PackedMatrix matrix = testing::packed(type(), n_outputs, width, source);
            const auto expected = testing::matmul(scalar(), matrix, x, often * n_rows);
            for (const int n : {n_rows, often * n_rows}) expect_same(testing::matmul(kernels(), matrix, x, n), expected, kernels().name);
        }
}

INSTANTIATE_TEST_SUITE_P(Isa, Matmul, ::testing::Combine(::testing::ValuesIn(vector_kernels()), ::testing::ValuesIn(testing::all_types)),
                         [](const auto& param) {
                             return std::string(std::get<0>(param.param)->name) + "_" +
                                    std::string(kylin::info(std::get<1>(param.param)).name);
                         });
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Matmul);

// What the sums and their bound need of each row: in double, from the dequantized weights and activations.
struct Exact {
    double sum = 0;
    double magnitude = 0;  // sum of the magnitudes of what is added, minimums apart
};

// |minimum| of each value of a row: its scale and minimum parts may cancel, and are rounded before they do.
std::vector<double> minimum_parts(const PackedMatrix& w, const std::byte* row, size_t width) {
    std::vector<float> parts(width, 0.0f);
    if (w.activation() != Activation::f32) offsets_of_row(w.source_type(), row, parts.data(), static_cast<int>(width));
    std::vector<double> magnitudes;
    for (const float part : parts) magnitudes.push_back(std::fabs(double{part}));
    return magnitudes;
}

std::vector<double> dequantized_activations(Activation form, const std::byte* row, size_t width) {
    std::vector<double> x(width);
    for (size_t i = 0; i < width; ++i) {
        if (form == Activation::f32) {
            x[i] = reinterpret_cast<const float*>(row)[i];
        } else if (form == Activation::q8_0) {
            const auto& block = reinterpret_cast<const ActivationQ8_0*>(row)[i / 32];
            x[i] = double{block.d} * block.qs[i % 32];
        } else {
            const auto& block = reinterpret_cast<const ActivationQ8_K*>(row)[i / 256];
            x[i] = double{block.d} * block.qs[i % 256];
        }
    }
    return x;
}

// Roundings that a value meets on its way, at most (the recipes' comments count them); one more for the dequantized weight
// of a type with minimums.
int roundings(const PackedMatrix& w) {
    switch (w.activation()) {
        case Activation::q8_k:
            return 2 * (w.width() / 256) + 3;
        case Activation::q8_0: {
            const bool has_minimum = w.type() == BlockType::q4_1 || w.type() == BlockType::q5_1;
            return has_minimum ? 2 * (w.width() / 32) + 2 : w.width() / 32 + 1;
        }
        default:
            return 64 + (w.width() + 63) / 64;
    }
}

class MatmulBound : public ::testing::TestWithParam<BlockType> {};

TEST_P(MatmulBound, IsWithinItsRoundingsOfTheSumInDouble) {
    constexpr int n_outputs = 32, rows = 4;
    constexpr size_t width = 1024;
    Random random(27);
    const auto source = testing::quantized(GetParam(), gaussian(n_outputs * width, random));
    const PackedMatrix matrix = testing::packed(GetParam(), n_outputs, width, source);
    const Kernels& scalar = select_kernels("scalar");
    const auto x = testing::activations(scalar, matrix.activation(), gaussian(rows * width, random));
    const auto y = testing::matmul(scalar, matrix, x, rows);
    const double unit = std::ldexp(1.0, -24), n = roundings(matrix), gamma = n * unit / (1 - n * unit);
    std::vector<float> w(width);
    double worst = 0;
    for (size_t o = 0; o < n_outputs; ++o) {
        const std::byte* blocks = source.data() + o * row_bytes(GetParam(), width);
        dequantize_row(GetParam(), blocks, w.data(), width);
        const auto minimums = minimum_parts(matrix, blocks, width);
        for (size_t r = 0; r < rows; ++r) {
            const auto xr =
                dequantized_activations(matrix.activation(), x.data() + r * activation_bytes(matrix.activation(), width), width);
            Exact exact;
            for (size_t i = 0; i < width; ++i) {
                exact.sum += w[i] * xr[i];
                exact.magnitude += (std::fabs(w[i]) + 2 * minimums[i]) * std::fabs(xr[i]);
            }
            const double error = std::fabs(y[r * n_outputs + o] - exact.sum);
            ASSERT_LE(error, gamma * exact.magnitude) << "output " << o << " row " << r;
            worst = std::max(worst, error / (gamma * exact.magnitude));
        }
    }
    EXPECT_GT(worst, 0.0) << "the comparison saw nothing";
}

INSTANTIATE_TEST_SUITE_P(Type, MatmulBound, ::testing::ValuesIn(testing::all_types),
                         [](const auto& param) { return std::string(kylin::info(param.param).name); });

}  // namespace
}  // namespace kylin
