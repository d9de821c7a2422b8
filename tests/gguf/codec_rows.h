// Rows and blocks that codecs are tested on: the same on every machine, from a generator of our own.
#pragma once
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "gguf/block_types.h"

namespace kylin::testing {

inline constexpr std::string_view row_kinds[] = {
    "bell",     "zeros",      "constant",      "positive", "negative",         "one outlier", "one value",         "halves",
    "integers", "subnormals", "near overflow", "tiny",     "mixed magnitudes", "alternating", "tiny beside large", "random bits",
};
inline constexpr size_t n_row_kinds = std::size(row_kinds);

// Any finite float of any magnitude.
inline float any_finite(Random& random) {
    for (;;) {
        const float x = std::bit_cast<float>(static_cast<uint32_t>(random.next()));
        if (std::isfinite(x)) return x;
    }
}

inline std::vector<float> make_row(size_t kind, size_t n, uint64_t seed) {
    Random random(seed * 1000 + kind);
    std::vector<float> x(n);
    const float level = random.bell();
    const size_t spot = random.below(n);
    for (size_t i = 0; i < n; ++i) {
        const float b = random.bell();
        switch (kind) {
            case 0:
                x[i] = b * 0.02f;
                break;
            case 1:
                x[i] = i % 3 == 0 ? -0.0f : 0.0f;
                break;
            case 2:
                x[i] = level;
                break;
            case 3:
                x[i] = std::fabs(b) + 0.1f;
                break;
            case 4:
                x[i] = -std::fabs(b) - 0.1f;
                break;
            case 5:
                x[i] = i == spot ? 300.0f * level : b;
                break;
            case 6:
                x[i] = i == spot ? level : 0.0f;
                break;
            case 7:
                x[i] = static_cast<float>(static_cast<int>(random.below(63)) - 31) * 0.5f;
                break;
            case 8:
                x[i] = static_cast<float>(static_cast<int>(random.below(255)) - 127);
                break;
            case 9:
                x[i] = b * 1e-39f;
                break;
            case 10:
                x[i] = b * 3e37f;
                break;
            case 11:
                x[i] = b * 1e-16f;
                break;
            case 12:
                x[i] = b * std::ldexp(1.0f, static_cast<int>(random.below(40)) - 20);
                break;
            case 13:
                x[i] = i % 2 ? level : -level;
                break;
            case 14:
                x[i] = i / 32 % 2 ? b * 1e-9f : b * 10.0f;
                break;
            default:
                x[i] = any_finite(random);
                break;
        }
    }
    return x;
}

// Bytes of whole blocks: scales, minima and quants of every value, NaN and infinite scales among them.
inline std::vector<std::byte> make_blocks(BlockType type, size_t n_values, uint64_t seed) {
    Random random(seed);
    std::vector<std::byte> blocks(row_bytes(type, n_values));
    for (std::byte& b : blocks) b = static_cast<std::byte>(random.next() >> 56);
    return blocks;
}

// The library leaves the quants of an IQ4_NL block of scale zero to chance.
inline void clear_undefined(BlockType type, std::vector<std::byte>& blocks) {
    if (type != BlockType::iq4_nl) return;
    for (size_t at = 0; at < blocks.size(); at += sizeof(BlockIQ4_NL)) {
        BlockIQ4_NL block;
        std::memcpy(&block, &blocks[at], sizeof block);
        if ((block.d & 0x7FFF) == 0) std::fill_n(&blocks[at] + sizeof block.d, sizeof block.qs, std::byte{0});
    }
}

// FNV-1a.
inline uint64_t hash_of(const void* data, size_t n, uint64_t hash = 0xCBF29CE484222325u) {
    const auto* bytes = static_cast<const unsigned char*>(data);
    for (size_t i = 0; i < n; ++i) hash = (hash ^ bytes[i]) * 0x100000001B3u;
    return hash;
}

// NaNs are one value here: their bits depend on which operand an instruction keeps.
inline uint64_t hash_of_floats(std::vector<float> values, uint64_t hash) {
    for (float& v : values)
        if (std::isnan(v)) v = std::bit_cast<float>(0x7FC00000u);
    return hash_of(values.data(), values.size() * sizeof(float), hash);
}

}  // namespace kylin::testing
