// The packed layouts: what lies in one panel (8 outputs of a weight matrix), type by type.
//
// A *group* is 4 consecutive inputs of 8 outputs: 32 bytes, byte 4 * output + j is input j of the group. So a vector of int32 lanes
// holds one output per lane, and a dot product needs no sum across lanes.
//
//   q4_k  n_blocks * PanelQ4K          q8_0  n_blocks * int8[8 groups][32]                    then n_blocks * f16 scale[8]
//   q5_k  n_blocks * PanelQ5K          q4_0  n_blocks * uint8[4 pairs of groups][32]          then n_blocks * f16 scale[8]
//   q6_k  n_blocks * PanelQ6K          q5_0  n_blocks * PanelQ5_0Quants                       then n_blocks * f16 scale[8]
//   f32, f16, bf16  width * element[8]
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
    uint16_t d[8], dmin[8];    // F16
    uint8_t scales[8][8];      // [sub-block][output], 6 bits
    uint8_t mins[4][8][2];     // [sub-block / 2][output][sub-block % 2], 6 bits
    uint8_t quants[8][4][32];  // [sub-block][pair of groups]
};
struct PanelQ5K {
    uint16_t d[8], dmin[8];
    uint8_t scales[8][8];
    uint8_t mins[4][8][2];
    uint8_t high[8][32];  // [sub-block]: bit i is the fifth bit of group i
    uint8_t quants[8][4][32];
};

// Super-blocks of 256 inputs, 16 sub-blocks of 16: value = d * scale * (q - 32).
// Of each sub-block: low nibbles hold groups 0 and 1 of the four, then 2 and 3; bits 2i and 2i + 1 of `high` are the upper bits of group i.
struct PanelQ6K {
    float d[8];              // F16 in the file; held as F32 so that the vectors stay aligned
    int8_t scales[8][8][2];  // [sub-block / 2][output][sub-block % 2]
    uint8_t low[16][2][32];  // [sub-block][groups 0 | 1, groups 2 | 3]
    uint8_t high[16][32];
};

// One block of 32 inputs: value = d * (q - 16).
struct PanelQ5_0Quants {
    uint8_t quants[4][32];
    uint8_t high[32];  // bit i is the fifth bit of group i
};

static_assert(sizeof(PanelQ4K) == 1184 && sizeof(PanelQ5K) == 1440 && sizeof(PanelQ6K) == 1696 && sizeof(PanelQ5_0Quants) == 160);

}  // namespace kylin
