// Floats to blocks. The order of every float operation is ggml's, because the bits must be: no sum may be rearranged.
#include <algorithm>
#include <array>
#include <cfloat>
#include <cmath>
#include <cstring>
#include <span>

#include "gguf/block_codec.h"
#include "gguf/block_fits.h"

namespace kylin {
namespace {

float to_float(int q) { return static_cast<float>(q); }

// Toward zero, low eight bits; 0 for what no int holds (a subnormal scale makes infinite quotients).
uint8_t truncated(float x) {
    if (!(std::fabs(x) < 0x1p31f)) return 0;
    return static_cast<uint8_t>(static_cast<int>(x));
}

struct Range {
    float min, max;
};
Range range_of(std::span<const float> x) {
    Range range = {FLT_MAX, -FLT_MAX};
    for (const float v : x) {
        if (v < range.min) range.min = v;
        if (v > range.max) range.max = v;
    }
    return range;
}

float inverse_of(float d) { return d != 0 ? 1.0f / d : 0.0f; }

void encode(std::span<const float, 1> x, float& y) { y = x[0]; }

struct F16 {
    uint16_t bits;
};
struct BF16 {
    uint16_t bits;
};
void encode(std::span<const float, 1> x, F16& y) { y.bits = f32_to_f16(x[0]); }
void encode(std::span<const float, 1> x, BF16& y) { y.bits = f32_to_bf16(x[0]); }

uint8_t joined(int low, int high) { return static_cast<uint8_t>((low & 15) | ((high & 15) << 4)); }

void encode(std::span<const float, 32> x, BlockQ4_0& b) {
    const float d = extreme_of(x) / -8.0f, inverse = inverse_of(d);
    const auto quant = [&](float v) { return std::min<int>(15, truncated(v * inverse + 8.5f)); };
    b.d = f32_to_f16(d);
    for (size_t i = 0; i < 16; ++i) b.qs[i] = joined(quant(x[i]), quant(x[i + 16]));
}

void encode(std::span<const float, 32> x, BlockQ4_1& b) {
    const auto [min, max] = range_of(x);
    const float d = (max - min) / 15.0f, inverse = inverse_of(d);
    const auto quant = [&, least = min](float v) { return std::min<int>(15, truncated((v - least) * inverse + 0.5f)); };
    b.d = f32_to_f16(d);
    b.m = f32_to_f16(min);
    for (size_t i = 0; i < 16; ++i) b.qs[i] = joined(quant(x[i]), quant(x[i + 16]));
}

// Of two equally near values the greater.
uint8_t nearest_iq4_nl(float x) {
    const int8_t *first = std::begin(iq4_nl_values), *last = std::end(iq4_nl_values);
    const int8_t* above = std::upper_bound(first, last, x, [](float v, int8_t value) { return v < to_float(value); });
    if (above == first) return 0;
    const bool below = above == last || x - to_float(above[-1]) < to_float(*above) - x;
    return static_cast<uint8_t>(above - first - (below ? 1 : 0));
}

// The least-squares scale of the quants that the plain scale gives.
void encode(std::span<const float, 32> x, BlockIQ4_NL& b) {
    const float extreme = extreme_of(x);
    if (std::fabs(extreme) < smallest_group) return;
    const float inverse = 1.0f / (extreme / to_float(iq4_nl_values[0]));
    std::array<uint8_t, 32> q;
    float wqx = 0, wqq = 0;
    for (size_t i = 0; i < 32; ++i) {
        q[i] = nearest_iq4_nl(inverse * x[i]);
        const float weight = x[i] * x[i], level = to_float(iq4_nl_values[q[i]]);
        wqx += weight * level * x[i];
        wqq += weight * level * level;
    }
    b.d = f32_to_f16(wqq > 0 ? wqx / wqq : 0.0f);
    for (size_t i = 0; i < 16; ++i) b.qs[i] = joined(q[i], q[i + 16]);
}

void store_fifth_bits(std::span<const int, 32> q, uint8_t (&qh)[4]) {
    for (size_t byte = 0; byte < 4; ++byte) {
        int bits = 0;
        for (size_t i = 0; i < 8; ++i) bits |= ((q[byte * 8 + i] >> 4) & 1) << i;
        qh[byte] = static_cast<uint8_t>(bits);
    }
}

void encode(std::span<const float, 32> x, BlockQ5_0& b) {
    const float d = extreme_of(x) / -16.0f, inverse = inverse_of(d);
    std::array<int, 32> q;
    for (size_t i = 0; i < 32; ++i) q[i] = std::min<int>(31, truncated(x[i] * inverse + 16.5f));
    b.d = f32_to_f16(d);
    store_fifth_bits(q, b.qh);
    for (size_t i = 0; i < 16; ++i) b.qs[i] = joined(q[i], q[i + 16]);
}

void encode(std::span<const float, 32> x, BlockQ5_1& b) {
    const auto [min, max] = range_of(x);
    const float d = (max - min) / 31.0f, inverse = inverse_of(d);
    std::array<int, 32> q;
    for (size_t i = 0; i < 32; ++i) q[i] = truncated((x[i] - min) * inverse + 0.5f);
    b.d = f32_to_f16(d);
    b.m = f32_to_f16(min);
    store_fifth_bits(q, b.qh);
    for (size_t i = 0; i < 16; ++i) b.qs[i] = joined(q[i], q[i + 16]);
}

void encode(std::span<const float, 32> x, BlockQ8_0& b) {
    float magnitude = 0;
    for (const float v : x) magnitude = magnitude > std::fabs(v) ? magnitude : std::fabs(v);
    const float d = magnitude / 127.0f, inverse = inverse_of(d);
    b.d = f32_to_f16(d);
    for (size_t i = 0; i < 32; ++i) b.qs[i] = static_cast<int8_t>(truncated(std::round(x[i] * inverse)));
}

// ---- K formats: 256 values in groups of 16 or 32; each group's scale is fitted, then the scales are quantized in turn.

// Quants of one group for the scale that was stored in the end; left as fitted where that is 0.
void requantize(std::span<const float> x, float scale, float min, int low, int high, uint8_t* q) {
    if (scale == 0) return;
    for (size_t i = 0; i < x.size(); ++i) q[i] = static_cast<uint8_t>(nearest_clamped((x[i] + min) / scale, low, high) - low);
}

void store_two_bits(const uint8_t (&q)[256], uint8_t (&qs)[64]) {
    std::fill(std::begin(qs), std::end(qs), uint8_t{0});
    for (size_t i = 0; i < 256; ++i) qs[i / 128 * 32 + i % 32] |= static_cast<uint8_t>((q[i] & 3) << (2 * (i % 128 / 32)));
}

void store_four_bits(const uint8_t (&q)[256], uint8_t (&qs)[128]) {
    for (size_t i = 0; i < 128; ++i) {
        const size_t low = i / 32 * 64 + i % 32;
        qs[i] = joined(q[low], q[low + 32]);
    }
}

void encode(std::span<const float, 256> x, BlockQ2_K& b) {
    constexpr MinSearch search = {.n_max = 3, .first = -0.5f, .step = 0.1f, .n_steps = 15, .absolute_error = true};
    uint8_t q[256];
    MinFit fits[16];
    float max_scale = 0, max_min = 0;
    for (size_t j = 0; j < 16; ++j) {
        const auto group = x.subspan(16 * j, 16);
        float weights[16];
        for (size_t i = 0; i < 16; ++i) weights[i] = std::fabs(group[i]);
        fits[j] = fit_with_min(search, group, weights, q + 16 * j);
        if (fits[j].scale > max_scale) max_scale = fits[j].scale;
        if (fits[j].min > max_min) max_min = fits[j].min;
    }
    const float inverse_scale = 15.0f / max_scale, inverse_min = 15.0f / max_min;
    for (size_t j = 0; j < 16; ++j) {
        const int scale = max_scale > 0 ? nearest(inverse_scale * fits[j].scale) : 0;
        const int min = max_min > 0 ? nearest(inverse_min * fits[j].min) : 0;
        b.scales[j] = static_cast<uint8_t>(scale | (min << 4));
    }
    b.d = f32_to_f16(max_scale > 0 ? max_scale / 15.0f : 0.0f);
    b.dmin = f32_to_f16(max_min > 0 ? max_min / 15.0f : 0.0f);
    const float d = f16_to_f32(b.d), dmin = f16_to_f32(b.dmin);
    for (size_t j = 0; j < 16; ++j)
        requantize(x.subspan(16 * j, 16), d * to_float(b.scales[j] & 15), dmin * to_float(b.scales[j] >> 4), 0, 3, q + 16 * j);
    store_two_bits(q, b.qs);
}

void store_q3_k_scale(int j, int scale, uint8_t (&packed)[12]) {
    packed[j % 8] |= static_cast<uint8_t>((scale & 15) << (j < 8 ? 0 : 4));
    packed[8 + j % 4] |= static_cast<uint8_t>((scale >> 4) << (2 * (j / 4)));
}

void encode(std::span<const float, 256> x, BlockQ3_K& b) {
    uint8_t q[256];
    float fitted[16];
    for (size_t j = 0; j < 16; ++j) fitted[j] = fit_scale_stepwise(4, x.subspan(16 * j, 16), q + 16 * j);
    b = {};
    if (const float extreme = extreme_of(fitted); extreme != 0) {
        const float inverse = -32.0f / extreme;
        for (int j = 0; j < 16; ++j) {
            // ggml holds this in eight bits before it clamps.
            const auto wrapped = static_cast<int8_t>(nearest(inverse * fitted[j]));
            store_q3_k_scale(j, std::clamp<int>(wrapped, -32, 31) + 32, b.scales);
        }
        b.d = f32_to_f16(1.0f / inverse);
    }
    int8_t scales[16];
    unpack_q3_k_scales(b.scales, scales);
    const float d = f16_to_f32(b.d);
    for (size_t j = 0; j < 16; ++j) requantize(x.subspan(16 * j, 16), d * to_float(scales[j] - 32), 0, -4, 3, q + 16 * j);
    for (size_t i = 0; i < 256; ++i)
        if (q[i] > 3) {
            b.hmask[i % 32] |= static_cast<uint8_t>(1 << (i / 32));
            q[i] = static_cast<uint8_t>(q[i] - 4);
        }
    store_two_bits(q, b.qs);
}

void store_scale_min(int j, ScaleMin s, uint8_t (&packed)[12]) {
    if (j < 4) {
        packed[j] = s.scale;
        packed[j + 4] = s.min;
        return;
    }
    packed[j + 4] = joined(s.scale, s.min);
    packed[j - 4] |= static_cast<uint8_t>((s.scale >> 4) << 6);
    packed[j] |= static_cast<uint8_t>((s.min >> 4) << 6);
}

// Q4_K and Q5_K differ in the search and in how the quants are stored.
template <class Block>
void encode_scale_min(const MinSearch& search, std::span<const float, 256> x, uint8_t (&q)[256], Block& b) {
    MinFit fits[8];
    float max_scale = 0, max_min = 0;
    for (size_t j = 0; j < 8; ++j) {
        const auto group = x.subspan(32 * j, 32);
        float squares = 0;
        for (const float v : group) squares += v * v;
        const float typical = std::sqrt(squares / 32.0f);
        float weights[32];
        for (size_t i = 0; i < 32; ++i) weights[i] = typical + std::fabs(group[i]);
        fits[j] = fit_with_min(search, group, weights, q + 32 * j);
        if (fits[j].scale > max_scale) max_scale = fits[j].scale;
        if (fits[j].min > max_min) max_min = fits[j].min;
    }
    const float inverse_scale = max_scale > 0 ? 63.0f / max_scale : 0.0f;
    const float inverse_min = max_min > 0 ? 63.0f / max_min : 0.0f;
    const auto six_bits = [](float v) { return std::min(uint8_t{63}, static_cast<uint8_t>(nearest(v))); };
    for (int j = 0; j < 8; ++j)
        store_scale_min(j, {six_bits(inverse_scale * fits[j].scale), six_bits(inverse_min * fits[j].min)}, b.scales);
    b.d = f32_to_f16(max_scale / 63.0f);
    b.dmin = f32_to_f16(max_min / 63.0f);
    const float d = f16_to_f32(b.d), dmin = f16_to_f32(b.dmin);
    for (size_t j = 0; j < 8; ++j) {
        const ScaleMin s = unpack_scale_min(b.scales, static_cast<int>(j));
        requantize(x.subspan(32 * j, 32), d * to_float(s.scale), dmin * to_float(s.min), 0, search.n_max, q + 32 * j);
    }
}

void encode(std::span<const float, 256> x, BlockQ4_K& b) {
    constexpr MinSearch search = {.n_max = 15, .first = -1.0f, .step = 0.1f, .n_steps = 20, .absolute_error = false};
    uint8_t q[256];
    encode_scale_min(search, x, q, b);
    store_four_bits(q, b.qs);
}

void encode(std::span<const float, 256> x, BlockQ5_K& b) {
    constexpr MinSearch search = {.n_max = 31, .first = -0.5f, .step = 0.1f, .n_steps = 15, .absolute_error = false};
    uint8_t q[256];
    encode_scale_min(search, x, q, b);
    store_four_bits(q, b.qs);
    std::fill(std::begin(b.qh), std::end(b.qh), uint8_t{0});
    for (size_t i = 0; i < 256; ++i) b.qh[i % 32] |= static_cast<uint8_t>((q[i] >> 4) << (i / 32));
}

void encode(std::span<const float, 256> x, BlockQ6_K& b) {
    uint8_t q[256];
    float fitted[16];
    for (size_t j = 0; j < 16; ++j) fitted[j] = fit_scale(32, x.subspan(16 * j, 16), q + 16 * j);
    b = {};
    const float extreme = extreme_of(fitted);
    if (std::fabs(extreme) < smallest_group) return;
    const float inverse = -128.0f / extreme;
    b.d = f32_to_f16(1.0f / inverse);
    const float d = f16_to_f32(b.d);
    for (size_t j = 0; j < 16; ++j) {
        b.scales[j] = static_cast<int8_t>(std::min(127, nearest(inverse * fitted[j])));
        requantize(x.subspan(16 * j, 16), d * to_float(b.scales[j]), 0, -32, 31, q + 16 * j);
    }
    for (size_t i = 0; i < 256; ++i) {
        const size_t half = i / 128, in_half = i % 128;
        b.ql[half * 64 + in_half % 64] |= static_cast<uint8_t>((q[i] & 15) << (in_half < 64 ? 0 : 4));
        b.qh[half * 32 + in_half % 32] |= static_cast<uint8_t>((q[i] >> 4) << (2 * (in_half / 32)));
    }
}

template <class Block, size_t values>
void encode_row(const float* x, std::byte* blocks, int n) {
    for (size_t i = 0; i < static_cast<size_t>(n); i += values, blocks += sizeof(Block)) {
        Block block = {};
        encode(std::span<const float, values>(x + i, values), block);
        std::memcpy(blocks, &block, sizeof(Block));
    }
}

}  // namespace

void quantize_row(BlockType type, const float* x, std::byte* blocks, int n) {
    switch (type) {
        case BlockType::f32:
            return encode_row<float, 1>(x, blocks, n);
        case BlockType::f16:
            return encode_row<F16, 1>(x, blocks, n);
        case BlockType::bf16:
            return encode_row<BF16, 1>(x, blocks, n);
        case BlockType::q4_0:
            return encode_row<BlockQ4_0, 32>(x, blocks, n);
        case BlockType::q4_1:
            return encode_row<BlockQ4_1, 32>(x, blocks, n);
        case BlockType::q5_0:
            return encode_row<BlockQ5_0, 32>(x, blocks, n);
        case BlockType::q5_1:
            return encode_row<BlockQ5_1, 32>(x, blocks, n);
        case BlockType::q8_0:
            return encode_row<BlockQ8_0, 32>(x, blocks, n);
        case BlockType::q2_k:
            return encode_row<BlockQ2_K, 256>(x, blocks, n);
        case BlockType::q3_k:
            return encode_row<BlockQ3_K, 256>(x, blocks, n);
        case BlockType::q4_k:
            return encode_row<BlockQ4_K, 256>(x, blocks, n);
        case BlockType::q5_k:
            return encode_row<BlockQ5_K, 256>(x, blocks, n);
        case BlockType::q6_k:
            return encode_row<BlockQ6_K, 256>(x, blocks, n);
        case BlockType::iq4_nl:
            return encode_row<BlockIQ4_NL, 32>(x, blocks, n);
    }
}

}  // namespace kylin
