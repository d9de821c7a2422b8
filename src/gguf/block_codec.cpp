// Blocks to floats, and the sixteen-bit floats both ways.
#include "gguf/block_codec.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace kylin {

float f16_to_f32(uint16_t half) {
    const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16;
    const uint32_t exponent = (half >> 10) & 31u;
    const uint32_t mantissa = half & 0x3FFu;
    if (exponent == 31) {
        const uint32_t quiet = mantissa ? 0x400000u : 0u;
        return std::bit_cast<float>(sign | 0x7F800000u | (mantissa << 13) | quiet);
    }
    if (exponent == 0) {  // zero or subnormal: mantissa times 2^-24, exact in float
        const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
        return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(magnitude));
    }
    return std::bit_cast<float>(sign | ((exponent + 112u) << 23) | (mantissa << 13));
}

uint16_t f32_to_f16(float value) {
    const uint32_t bits = std::bit_cast<uint32_t>(value);
    const auto sign = static_cast<uint16_t>((bits >> 16) & 0x8000u);
    const uint32_t magnitude = bits & 0x7FFFFFFFu;
    const auto signed_half = [sign](uint32_t half) { return static_cast<uint16_t>(sign | half); };
    if (magnitude > 0x7F800000u) return signed_half(0x7E00u);
    if (magnitude >= 0x477FF000u) return signed_half(0x7C00u);  // 65520 and more round to infinity
    if (magnitude < 0x38800000u) {                              // below 2^-14: subnormal steps of 2^-24
        // Adding 0.5 leaves a float whose last bit is worth 2^-24, so the addition rounds to the nearest, ties to even.
        const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
        return signed_half(std::bit_cast<uint32_t>(shifted) - std::bit_cast<uint32_t>(0.5f));
    }
    const uint32_t rounded = magnitude + 0xFFFu + ((magnitude >> 13) & 1u);
    return signed_half((rounded >> 13) - (112u << 10));
}

float bf16_to_f32(uint16_t brain) { return std::bit_cast<float>(static_cast<uint32_t>(brain) << 16); }

uint16_t f32_to_bf16(float value) {
    const uint32_t bits = std::bit_cast<uint32_t>(value);
    if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return static_cast<uint16_t>((bits >> 16) | 64u);
    return static_cast<uint16_t>((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
}

// Low four bits: bytes 0..7 hold scales 0..7 below and 8..15 above. Upper two bits: byte 8 + j % 4, shifted by 2 (j / 4).
void unpack_q3_k_scales(const uint8_t (&packed)[12], int8_t (&scales)[16]) {
    for (int j = 0; j < 16; ++j) {
        const int low = (packed[j % 8] >> (j < 8 ? 0 : 4)) & 15;
        const int high = (packed[8 + j % 4] >> (2 * (j / 4))) & 3;
        scales[j] = static_cast<int8_t>(low | (high << 4));
    }
}

namespace {

float to_float(int q) { return static_cast<float>(q); }

void decode(float x, float* y) { *y = x; }

struct F16 {
    uint16_t bits;
};
struct BF16 {
    uint16_t bits;
};
void decode(F16 x, float* y) { *y = f16_to_f32(x.bits); }
void decode(BF16 x, float* y) { *y = bf16_to_f32(x.bits); }

// Four-bit formats hold values i and i + 16 in the low and high half of byte i.
void decode(const BlockQ4_0& b, float* y) {
    const float d = f16_to_f32(b.d);
    for (int i = 0; i < 16; ++i) {
        y[i] = to_float((b.qs[i] & 15) - 8) * d;
        y[i + 16] = to_float((b.qs[i] >> 4) - 8) * d;
    }
}

void decode(const BlockIQ4_NL& b, float* y) {
    const float d = f16_to_f32(b.d);
    for (int i = 0; i < 16; ++i) {
        y[i] = to_float(iq4_nl_values[b.qs[i] & 15]) * d;
        y[i + 16] = to_float(iq4_nl_values[b.qs[i] >> 4]) * d;
    }
}

void decode(const BlockQ4_1& b, float* y) {
    const float d = f16_to_f32(b.d), m = f16_to_f32(b.m);
    for (int i = 0; i < 16; ++i) {
        y[i] = to_float(b.qs[i] & 15) * d + m;
        y[i + 16] = to_float(b.qs[i] >> 4) * d + m;
    }
}

// The fifth bit of value i is bit i of qh.
int fifth_bit(const uint8_t (&qh)[4], int i) { return ((qh[i / 8] >> (i % 8)) & 1) << 4; }

void decode(const BlockQ5_0& b, float* y) {
    const float d = f16_to_f32(b.d);
    for (int i = 0; i < 16; ++i) {
        y[i] = to_float(((b.qs[i] & 15) | fifth_bit(b.qh, i)) - 16) * d;
        y[i + 16] = to_float(((b.qs[i] >> 4) | fifth_bit(b.qh, i + 16)) - 16) * d;
    }
}

void decode(const BlockQ5_1& b, float* y) {
    const float d = f16_to_f32(b.d), m = f16_to_f32(b.m);
    for (int i = 0; i < 16; ++i) {
        y[i] = to_float((b.qs[i] & 15) | fifth_bit(b.qh, i)) * d + m;
        y[i + 16] = to_float((b.qs[i] >> 4) | fifth_bit(b.qh, i + 16)) * d + m;
    }
}

void decode(const BlockQ8_0& b, float* y) {
    const float d = f16_to_f32(b.d);
    for (int i = 0; i < 32; ++i) y[i] = to_float(b.qs[i]) * d;
}

// Two-bit values: of each 128, value i lies in byte i % 32, shifted by 2 (i / 32).
int two_bits(const uint8_t (&qs)[64], int i) { return (qs[i / 128 * 32 + i % 32] >> (2 * (i % 128 / 32))) & 3; }

void decode(const BlockQ2_K& b, float* y) {
    const float d = f16_to_f32(b.d), dmin = f16_to_f32(b.dmin);
    for (int i = 0; i < 256; ++i) {
        const float scale = d * to_float(b.scales[i / 16] & 15), min = dmin * to_float(b.scales[i / 16] >> 4);
        y[i] = scale * to_float(two_bits(b.qs, i)) - min;
    }
}

// A clear bit of the mask stands for minus 4; value i has bit i / 32 of byte i % 32.
void decode(const BlockQ3_K& b, float* y) {
    const float d = f16_to_f32(b.d);
    int8_t scales[16];
    unpack_q3_k_scales(b.scales, scales);
    for (int i = 0; i < 256; ++i) {
        const float scale = d * to_float(scales[i / 16] - 32);
        const bool high = (b.hmask[i % 32] >> (i / 32)) & 1;
        y[i] = scale * to_float(two_bits(b.qs, i) - (high ? 0 : 4));
    }
}

// Of each 64 values, 32 lie in the low and 32 in the high halves of 32 bytes.
int four_bits(const uint8_t (&qs)[128], int i) { return (qs[i / 64 * 32 + i % 32] >> (i % 64 < 32 ? 0 : 4)) & 15; }

void decode(const BlockQ4_K& b, float* y) {
    const float d = f16_to_f32(b.d), dmin = f16_to_f32(b.dmin);
    for (int i = 0; i < 256; ++i) {
        const ScaleMin s = unpack_scale_min(b.scales, i / 32);
        y[i] = d * to_float(s.scale) * to_float(four_bits(b.qs, i)) - dmin * to_float(s.min);
    }
}

// As Q4_K; the fifth bit of value i is bit i / 32 of byte i % 32.
void decode(const BlockQ5_K& b, float* y) {
    const float d = f16_to_f32(b.d), dmin = f16_to_f32(b.dmin);
    for (int i = 0; i < 256; ++i) {
        const ScaleMin s = unpack_scale_min(b.scales, i / 32);
        const int q = four_bits(b.qs, i) | (((b.qh[i % 32] >> (i / 32)) & 1) << 4);
        y[i] = d * to_float(s.scale) * to_float(q) - dmin * to_float(s.min);
    }
}

// Of each 128 values: the low four bits fill 64 bytes (the first 64 values in the low halves), the upper two fill 32 bytes.
void decode(const BlockQ6_K& b, float* y) {
    const float d = f16_to_f32(b.d);
    for (int i = 0; i < 256; ++i) {
        const int half = i / 128, in_half = i % 128;
        const int low = (b.ql[half * 64 + in_half % 64] >> (in_half < 64 ? 0 : 4)) & 15;
        const int high = (b.qh[half * 32 + in_half % 32] >> (2 * (in_half / 32))) & 3;
        y[i] = d * to_float(b.scales[i / 16]) * to_float((low | (high << 4)) - 32);
    }
}

template <class Block>
void decode_row(BlockType type, const std::byte* blocks, float* y, int n) {
    const int values = static_cast<int>(info(type).values);
    for (int i = 0; i < n; i += values, blocks += sizeof(Block)) {
        Block block;
        std::memcpy(&block, blocks, sizeof(Block));
        decode(block, y + i);
    }
}

template <class Block>
void decode_offsets(BlockType type, const std::byte* blocks, float* y, int n) {
    const int values = static_cast<int>(info(type).values);
    for (int i = 0; i < n; i += values, blocks += sizeof(Block)) {
        Block block;
        std::memcpy(&block, blocks, sizeof(Block));
        std::ranges::fill(block.qs, uint8_t{0});
        if constexpr (requires { block.qh; }) std::ranges::fill(block.qh, uint8_t{0});
        decode(block, y + i);
    }
}

}  // namespace

void dequantize_row(BlockType type, const std::byte* blocks, float* y, int n) {
    switch (type) {
        case BlockType::f32:
            return decode_row<float>(type, blocks, y, n);
        case BlockType::f16:
            return decode_row<F16>(type, blocks, y, n);
        case BlockType::bf16:
            return decode_row<BF16>(type, blocks, y, n);
        case BlockType::q4_0:
            return decode_row<BlockQ4_0>(type, blocks, y, n);
        case BlockType::q4_1:
            return decode_row<BlockQ4_1>(type, blocks, y, n);
        case BlockType::q5_0:
            return decode_row<BlockQ5_0>(type, blocks, y, n);
        case BlockType::q5_1:
            return decode_row<BlockQ5_1>(type, blocks, y, n);
        case BlockType::q8_0:
            return decode_row<BlockQ8_0>(type, blocks, y, n);
        case BlockType::q2_k:
            return decode_row<BlockQ2_K>(type, blocks, y, n);
        case BlockType::q3_k:
            return decode_row<BlockQ3_K>(type, blocks, y, n);
        case BlockType::q4_k:
            return decode_row<BlockQ4_K>(type, blocks, y, n);
        case BlockType::q5_k:
            return decode_row<BlockQ5_K>(type, blocks, y, n);
        case BlockType::q6_k:
            return decode_row<BlockQ6_K>(type, blocks, y, n);
        case BlockType::iq4_nl:
            return decode_row<BlockIQ4_NL>(type, blocks, y, n);
    }
}

void offsets_of_row(BlockType type, const std::byte* blocks, float* y, int n) {
    switch (type) {
        case BlockType::q4_1:
            return decode_offsets<BlockQ4_1>(type, blocks, y, n);
        case BlockType::q5_1:
            return decode_offsets<BlockQ5_1>(type, blocks, y, n);
        case BlockType::q2_k:
            return decode_offsets<BlockQ2_K>(type, blocks, y, n);
        case BlockType::q4_k:
            return decode_offsets<BlockQ4_K>(type, blocks, y, n);
        case BlockType::q5_k:
            return decode_offsets<BlockQ5_K>(type, blocks, y, n);
        default:
            std::fill_n(y, n, 0.0f);
    }
}

}  // namespace kylin
