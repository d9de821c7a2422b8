// The packed layouts: what lies in one panel (16 outputs of a weight matrix), type by type.
//
// A *group* is 4 consecutive inputs of 16 outputs: 64 bytes, byte 4 * output + j is input j of the group. So a vector of int32 lanes
// holds one output per lane, and a dot product needs no sum across lanes. A vector of 8 lanes reads half of every field.
//
//   q2_k q4_k q5_k q6_k q8_0 q4_0 q4_1 q5_0 q5_1 iq4_nl   n_blocks * Panel... below
//   f32 f16 bf16                                          width * element[16], or for most f16 and bf16
//   short floats                                          PanelShortHead, width / 8 * PanelShortUnit
//
// One row, or a few, read a panel from its first byte to its last, in order, and one panel at a time. With scales or high bits in a place
// of their own, or two panels at once, the processor no longer fetches ahead: 6 to 13 GB/s instead of 20 to 25 on a Zen 4 core. What is
// used after the quants of a block lies behind them where it takes many lines: with the minimums of Q2_K before them, read last, one row
// had 14 GB/s on two cores instead of 31.
//
// Nibbles: of each 32 inputs, byte b of pair i holds group i in its low and group i + 4 in its high nibble.
// Every panel is padded to 64 bytes; the outputs that pad the last panel are zeros.
#pragma once
#include <cstddef>
#include <cstdint>

#include "kernels/packed_matrix.h"

namespace kylin {

inline constexpr int panel_alignment = 64;
inline constexpr int float_chunk = 64;  // inputs that F32, F16 and BF16 weights sum before adding to the total

// Super-blocks of 256 inputs, 8 sub-blocks of 32: value = d * scale * q - dmin * min.
struct PanelQ4K {
    uint16_t d[16], dmin[16];  // F16
    uint8_t scales[8][16];     // [sub-block][output], 6 bits
    uint8_t mins[4][16][2];    // [sub-block / 2][output][sub-block % 2], 6 bits
    uint8_t quants[8][4][64];  // [sub-block][pair of groups]
};
struct PanelQ5K {
    uint16_t d[16], dmin[16];
    uint8_t scales[8][16];
    uint8_t mins[4][16][2];
    struct {
        uint8_t high[64];  // bit i is the fifth bit of group i
        uint8_t quants[4][64];
    } sub_blocks[8];
};

// Super-blocks of 256 inputs, 16 sub-blocks of 16: value = d * scale * (q - 32).
// Of the four groups of a sub-block: bits 2i and 2i + 1 of `high` are the upper bits of group i; the lower ones are nibbles.
struct PanelQ6K {
    float d[16];              // F16 in the file; held as F32 so that the vectors stay aligned
    int8_t scales[8][16][2];  // [sub-block / 2][output][sub-block % 2]
    struct {
        uint8_t high[64];
        uint8_t low[2][64];  // low nibble group 0, high nibble group 1; then 2 and 3
    } sub_blocks[16];
};

// The same with value = d * scale * q - dmin * min. Bits 2i and 2i + 1 of a byte of `quants` are group i of a sub-block.
struct PanelQ2K {
    int8_t scales[8][16][2];  // 4 bits
    uint8_t quants[16][64];   // [sub-block]
    int8_t mins[8][16][2];    // 4 bits
    float d[16], dmin[16];
};

// Blocks of 32 inputs: value = d * q, d * (q - 8), d * (q - 16), IQ4_NL d * iq4_nl_values[q]; Q4_1 and Q5_1: d * q + m.
struct PanelQ8_0 {
    uint16_t d[16];        // F16
    int8_t quants[8][64];  // [group]
};
struct PanelQ4_0 {
    uint16_t d[16];
    uint8_t quants[4][64];  // [pair of groups]
};
struct PanelIQ4NL {
    uint16_t d[16];
    uint8_t quants[4][64];  // [pair of groups], of indices into iq4_nl_values
};
struct PanelQ5_0 {
    uint16_t d[16];
    uint8_t high[64];  // bit i is the fifth bit of group i
    uint8_t quants[4][64];
};
struct PanelQ4_1 {
    uint16_t d[16], m[16];
    uint8_t quants[4][64];
};
struct PanelQ5_1 {
    uint16_t d[16], m[16];
    uint8_t high[64];
    uint8_t quants[4][64];
};

// F16 and BF16 in 12 bits, see short_floats.h. Of each 8 inputs, four are in the low and four in the high nibbles of the codes.
inline constexpr int short_inputs = 64;  // the width is a multiple of
struct PanelShortHead {
    uint8_t upper[16], lower[16];  // by code: the exponent in the upper half of a float, without its lowest bit; that bit
    uint8_t unused[32];
};
struct PanelShortUnit {
    uint8_t codes[64];
    uint8_t rest[2][64];  // of inputs 0 .. 3, of 4 .. 7: the sign above the mantissa
};
// Where a line has input i of 4: two inputs of four outputs lie together, and become the upper halves of four floats and of the next four.
constexpr size_t short_place(size_t output, size_t i) { return output / 4 * 16 + i / 2 * 8 + output % 4 * 2 + i % 2; }

static_assert(sizeof(PanelShortHead) == 64 && sizeof(PanelShortUnit) == 192);
static_assert(sizeof(PanelQ2K) == 1664 && sizeof(PanelQ4K) == 2368 && sizeof(PanelQ5K) == 2880 && sizeof(PanelQ6K) == 3392);
static_assert(sizeof(PanelQ8_0) == 544 && sizeof(PanelQ4_0) == 288 && sizeof(PanelQ5_0) == 352);
static_assert(sizeof(PanelQ4_1) == 320 && sizeof(PanelQ5_1) == 384 && sizeof(PanelIQ4NL) == 288);

}  // namespace kylin
