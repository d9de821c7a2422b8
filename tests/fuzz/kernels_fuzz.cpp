// libFuzzer: whatever the bytes of the weights and of the inputs, every instruction set multiplies to the scalar bits, and floats in 12
// bits are what they were in 16. Input: type, rows, blocks of a row, a seed for the inputs' magnitude; then the bytes of the weights,
// repeated as often as needed.
#include <cmath>

#include "fuzz/require.h"
#include "kernels/blocks.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace kylin;
    if (size < 5) return 0;
    const BlockType type = kylin::testing::all_types[data[0] % kylin::testing::all_types.size()];
    const int rows = 1 + data[1] % 20, n_outputs = 1 + data[2] % 40, per_block = static_cast<int>(info(type).values);
    const bool is_short = (type == BlockType::f16 || type == BlockType::bf16) && data[2] % 2 == 1;
    const int width = is_short ? 64 * (1 + data[2] % 3) : per_block == 1 ? 1 + data[2] : per_block * (1 + data[2] % 3);
    const auto n_weights = static_cast<size_t>(n_outputs) * static_cast<size_t>(width);
    std::vector<std::byte> weights(static_cast<size_t>(n_outputs) * row_bytes(type, static_cast<size_t>(width)));
    for (size_t i = 0; i < weights.size(); ++i) weights[i] = std::byte{data[4 + i % (size - 4)]};
    kylin::testing::Random random(n_weights);
    const auto x = kylin::testing::gaussian(static_cast<size_t>(rows * width), random, std::ldexp(1.0f, static_cast<int8_t>(data[3])));
    const PackedMatrix plain = kylin::testing::packed(type, n_outputs, width, weights);
    const PackedMatrix matrix = is_short ? kylin::testing::packed(type, n_outputs, width, weights, Packing::short_floats) : plain;
    const auto inputs = kylin::testing::activations(select_kernels("scalar"), matrix.activation(), x);
    const auto expected = kylin::testing::matmul(select_kernels("scalar"), plain, inputs, rows);
    for (const Kernels* kernels : usable_kernels()) {
        require(kylin::testing::activations(*kernels, matrix.activation(), x) == inputs, "inputs have the scalar bits");
        const auto y = kylin::testing::matmul(*kernels, matrix, inputs, rows);
        for (size_t i = 0; i < y.size(); ++i) require(kylin::testing::same_bits(y[i], expected[i]), "products have the scalar bits");
    }
    return 0;
}
