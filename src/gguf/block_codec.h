// What the bytes of a block mean, and how a block is made from floats: the definitions that every kernel is tested against.
// Scalar and plain; bit-equal to ggml's reference functions (without importance matrix).
#pragma once
#include <cstddef>
#include <cstdint>

#include "gguf/block_types.h"

namespace kylin {

float f16_to_f32(uint16_t half);    // exact; a NaN becomes quiet
uint16_t f32_to_f16(float value);   // to the nearest, ties to even; a NaN becomes 0x7E00 with its sign
float bf16_to_f32(uint16_t brain);  // exact
uint16_t f32_to_bf16(float value);  // to the nearest, ties to even; a NaN keeps its upper bits and becomes quiet

// The six-bit scale and minimum of sub-block j (0..7) of a Q4_K or Q5_K block: those of 0..3 in bytes j and j + 4; of 4..7 four bits in
// byte j + 4, and the upper two in the top of the bytes of 0..3. Inline, because packing takes them apart for every block.
struct ScaleMin {
    uint8_t scale, min;
};
inline ScaleMin unpack_scale_min(const uint8_t (&scales)[12], int j) {
    if (j < 4) return {static_cast<uint8_t>(scales[j] & 63), static_cast<uint8_t>(scales[j + 4] & 63)};
    return {static_cast<uint8_t>((scales[j + 4] & 15) | ((scales[j - 4] >> 6) << 4)),
            static_cast<uint8_t>((scales[j + 4] >> 4) | ((scales[j] >> 6) << 4))};
}

// The six-bit scales of the 16 sub-blocks of a Q3_K block, each stored plus 32.
void unpack_q3_k_scales(const uint8_t (&packed)[12], int8_t (&scales)[16]);

// n values, a multiple of the block; blocks need no alignment.
void dequantize_row(BlockType type, const std::byte* blocks, float* y, int n);
void quantize_row(BlockType type, const float* x, std::byte* blocks, int n);

// What each value would be if all quants were 0: the block's minimum where the type has one, else 0.
void offsets_of_row(BlockType type, const std::byte* blocks, float* y, int n);

}  // namespace kylin
