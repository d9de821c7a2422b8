// Dot products of Q8_0, Q4_0 and Q5_0 weights with Q8_0 activations.
//
// The float recipe, for block 0, 1, ... of an output: acc = fma(dw * dx, float(isum), acc), isum the exact sum of 32 products.
// |isum| < 2^24, so its conversion is exact: two roundings per block (the product's and the fma's).
#pragma once
#include "kernels/recipes/tile.h"

namespace kylin {

// Of a quant in a file -128 may occur, of an activation it never does.
static_assert(32 * 128 * 127 < (1 << 24));

// Format: max (largest magnitude), quant_bytes (of a block of a panel) and weights(quants of a block, group).
template <class V, class Format>
struct Blocks32 {
    static constexpr size_t panels = V::signed_panels, rows = V::signed_rows;
    static constexpr int groups_per_sum = 8 * V::products * Format::max * V::signed_input_max <= V::sum_max ? 8 : 1;
    static_assert(groups_per_sum * V::products * Format::max * V::signed_input_max <= V::sum_max);

    template <size_t P, size_t C>
    static void compute(const TileInput& in, typename V::Floats (&total)[P][C]) {
        clear<V>(total);
        const size_t n_blocks = static_cast<size_t>(in.width) / 32;
        for (size_t b = 0; b < n_blocks; ++b) {
            const std::byte* w[P];
            for (size_t p = 0; p < P; ++p) w[p] = in.panel + p * in.panel_bytes + b * Format::quant_bytes;
            const BlockQ8_0* x[C];
            for (size_t c = 0; c < C; ++c) x[c] = reinterpret_cast<const BlockQ8_0*>(in.x + c * in.x_stride) + b;
            if (C <= streaming_rows)
                for (size_t p = 0; p < P; ++p) V::prefetch(w[p] + prefetch_distance, Format::quant_bytes);
            typename V::Ints isum[P][C];
            sum_block<P, C>(w, x, isum);
            for (size_t p = 0; p < P; ++p) {
                const std::byte* scales = in.panel + p * in.panel_bytes + n_blocks * Format::quant_bytes;
                const typename V::Floats d = V::load_f16(reinterpret_cast<const uint16_t*>(scales) + b * panel_outputs);
                for (size_t c = 0; c < C; ++c) total[p][c] = V::fma(V::mul(d, V::splat_f16(x[c]->d)), V::to_float(isum[p][c]), total[p][c]);
            }
        }
    }

private:
    template <size_t P, size_t C>
    static void sum_block(const std::byte* const (&quants)[P], const BlockQ8_0* const (&x)[C], typename V::Ints (&isum)[P][C]) {
        typename V::Sums dot[P][C];
        typename V::Ints bias[P];
        for (size_t p = 0; p < P; ++p) {
            bias[p] = V::zero_ints();
            for (size_t c = 0; c < C; ++c) {
                isum[p][c] = V::zero_ints();
                dot[p][c] = V::zero_sums();
            }
        }
#pragma GCC unroll 8
        for (int group = 0; group < 8; ++group) {
            typename V::SignedBytes w[P];
            for (size_t p = 0; p < P; ++p) {
                w[p] = V::signed_weights(Format::weights(quants[p], group));
                bias[p] = V::add_bias(bias[p], w[p]);
            }
            for (size_t c = 0; c < C; ++c) {
                V::dot_s8(dot, c, w, x[c]->qs + 4 * group);
                if ((group + 1) % groups_per_sum != 0) continue;
                for (size_t p = 0; p < P; ++p) {
                    isum[p][c] = V::add_sums(isum[p][c], dot[p][c]);
                    dot[p][c] = V::zero_sums();
                }
            }
        }
        for (size_t p = 0; p < P; ++p)
            for (size_t c = 0; c < C; ++c) isum[p][c] = V::sub_ints(isum[p][c], bias[p]);
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
