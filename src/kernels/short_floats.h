// F16 and BF16 weights in 12 bits, without loss: a sign, 7 bits of mantissa, and which of 16 exponents in a row. The weights of trained
// models are spread like a bell, and their checkpoints are in BF16: of a bell's values one in 6000 has an exponent outside the 16 that suit
// a panel best. Those outliers are kept in a list beside it.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "gguf/block_types.h"

namespace kylin {

// A weight that is not in its panel, which holds some finite value in its place.
struct Outlier {
    uint32_t at;  // 16 * input + output of the panel
    float value;
};
// Ends every list.
inline constexpr Outlier no_outlier{UINT32_MAX, 0};

// The rows of a panel in the file; those beyond the matrix are null.
using PanelRows = std::span<const std::byte* const, 16>;

// Whether a matrix of F16 or BF16 has so few outliers that it is read faster this way. Looks at some of the weights of some of the panels.
bool suits_short_floats(BlockType type, int n_outputs, int width, std::span<const std::byte> source);

size_t short_panel_bytes(int width);

// Lays a panel out as recipes/panel.h says; the outliers in order, empty if there are none.
std::vector<Outlier> pack_short_floats(std::byte* to, BlockType type, PanelRows rows, size_t width);

}  // namespace kylin
