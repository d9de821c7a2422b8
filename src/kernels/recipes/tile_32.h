// Dot products of Q8_0, Q4_0 and Q5_0 weights with Q8_0 activations.
//
// The float recipe, for block 0, 1, ... of an output: acc = fma(dw * dx, float(isum), acc), isum the exact sum of 32 products.
// |isum| < 2^24, so its conversion is exact: two roundings per block (the product's and the fma's).
#pragma once
#include "kernels/recipes/tile.h"

namespace kylin {

// Of a quant in a file -128 may occur, of an activation it never does.
static_assert(32 * 128 * 127 < (1 << 24));

// Format: max (largest magnitude), quant_bytes (of a block of a panel) and signed_weights(block, group).
template <class V, class Format>
struct Blocks32 {
    static constexpr int panels = 1;
    static constexpr int groups_per_sum = 8 * V::products * Format::max * 127 <= V::sum_max ? 8 : 1;
    static_assert(groups_per_sum * V::products * Format::max * 127 <= V::sum_max);

    template <size_t P, size_t C>
    static void compute(const TileInput& in, typename V::Floats (&total)[P][C]) {
        static_assert(P == 1);
        const int n_blocks = in.width / 32;
        const std::byte* quants = in.panel;
        const auto* scales = reinterpret_cast<const uint16_t*>(in.panel + static_cast<size_t>(n_blocks) * Format::quant_bytes);
        for (size_t c = 0; c < C; ++c) total[0][c] = V::zero();
        for (int b = 0; b < n_blocks; ++b) {
            const BlockQ8_0* x[C];
            for (size_t c = 0; c < C; ++c) x[c] = reinterpret_cast<const BlockQ8_0*>(in.x + c * in.x_stride) + b;
            typename V::Ints isum[C];
            sum_block<C>(quants, x, isum);
            const typename V::Floats d = V::load_f16(scales);
            for (size_t c = 0; c < C; ++c) total[0][c] = V::fma(V::mul(d, V::splat_f16(x[c]->d)), V::to_float(isum[c]), total[0][c]);
            quants += Format::quant_bytes;
            scales += panel_outputs;
        }
    }

private:
    template <size_t C>
    static void sum_block(const std::byte* quants, const BlockQ8_0* const (&x)[C], typename V::Ints (&isum)[C]) {
        typename V::Sums dot[C];
        for (size_t c = 0; c < C; ++c) {
            isum[c] = V::zero_ints();
            dot[c] = V::zero_sums();
        }
        for (int group = 0; group < 8; ++group) {
            const typename V::SignedBytes w = V::split_sign(Format::weights(quants, group));
            for (size_t c = 0; c < C; ++c) dot[c] = V::dot_s8(dot[c], w, V::splat4(x[c]->qs + 4 * group));
            if ((group + 1) % groups_per_sum == 0)
                for (size_t c = 0; c < C; ++c) {
                    isum[c] = V::add_sums(isum[c], dot[c]);
                    dot[c] = V::zero_sums();
                }
        }
    }
};

template <class V>
struct FormatQ8_0 {
    static constexpr int max = 128;
    static constexpr size_t quant_bytes = 256;
    static typename V::Bytes weights(const std::byte* quants, int group) { return V::load_bytes(quants + 32 * group); }
};

template <class V>
struct FormatQ4_0 {
    static constexpr int max = 8;
    static constexpr size_t quant_bytes = 128;
    static typename V::Bytes weights(const std::byte* quants, int group) {
        const typename V::Bytes q = V::load_bytes(quants + 32 * (group % 4));
        return V::sub_bytes(group < 4 ? V::low_nibbles(q) : V::high_nibbles(q), V::splat_byte(8));
    }
};

template <class V>
struct FormatQ5_0 {
    static constexpr int max = 16;
    static constexpr size_t quant_bytes = sizeof(PanelQ5_0Quants);
    static typename V::Bytes weights(const std::byte* quants, int group) {
        const typename V::Bytes q = V::load_bytes(quants + 32 * (group % 4)), h = V::load_bytes(quants + 128);
        const typename V::Bytes low = group < 4 ? V::low_nibbles(q) : V::high_nibbles(q);
        return V::sub_bytes(V::or_bytes(low, V::bit_as_16(h, group)), V::splat_byte(16));
    }
};

}  // namespace kylin
