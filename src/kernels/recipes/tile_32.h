// Dot products of Q8_0, Q4_0, Q4_1, Q5_0 and Q5_1 weights with Q8_0 activations.
//
// The float recipe, for block 0, 1, ... of an output:
//   acc = fma(dw * dx, float(isum), acc), isum the exact sum of 32 products
//   Q4_1, Q5_1 then   acc = fma(mw * dx, float(xsum), acc), xsum the exact sum of the 32 inputs
// |isum| and |xsum| < 2^24, so their conversion is exact: two roundings for each line of a block (the product's and the fma's).
#pragma once
#include "kernels/recipes/tile.h"

namespace kylin {

// Of a quant in a file -128 may occur, of an activation it never does.
static_assert(32 * 128 * 127 < (1 << 24));

// Format: Block, max (largest magnitude), weights(block, group) and has_minimum, where Block has m.
template <class V, class Format>
struct Blocks32 {
    using Block = typename Format::Block;
    static constexpr size_t panels = V::signed_panels, rows = V::signed_rows;
    static constexpr int groups_per_sum = 8 * V::products * Format::max * V::signed_input_max <= V::sum_max ? 8 : 1;
    static_assert(groups_per_sum * V::products * Format::max * V::signed_input_max <= V::sum_max);

    template <size_t P, size_t C>
    static void compute(const TileInput& in, typename V::Floats (&total)[P][C]) {
        clear<V>(total);
        for (int b = 0; b < in.width / 32; ++b) {
            const Block* w[P];
            for (size_t p = 0; p < P; ++p) w[p] = reinterpret_cast<const Block*>(in.panel + p * in.panel_bytes) + b;
            const BlockQ8_0* x[C];
            for (size_t c = 0; c < C; ++c) x[c] = reinterpret_cast<const BlockQ8_0*>(in.x + c * in.x_stride) + b;
            typename V::Ints isum[P][C];
            sum_block<P, C>(w, x, isum);
            for (size_t p = 0; p < P; ++p) {
                const typename V::Floats d = V::load_f16(w[p]->d);
                for (size_t c = 0; c < C; ++c) total[p][c] = V::fma(V::mul(d, V::splat_f16(x[c]->d)), V::to_float(isum[p][c]), total[p][c]);
            }
            if constexpr (Format::has_minimum) add_minimums<P, C>(w, x, total);
        }
    }

private:
    template <size_t P, size_t C>
    static void add_minimums(const Block* const (&w)[P], const BlockQ8_0* const (&x)[C], typename V::Floats (&total)[P][C]) {
        typename V::Floats m[P];
        for (size_t p = 0; p < P; ++p) m[p] = V::load_f16(w[p]->m);
        for (size_t c = 0; c < C; ++c) {
            int16_t sums[2];
            V::sums_of_16(x[c]->qs, sums);
            const typename V::Floats dx = V::splat_f16(x[c]->d), xsum = V::splat(static_cast<float>(sums[0] + sums[1]));
            for (size_t p = 0; p < P; ++p) total[p][c] = V::fma(V::mul(m[p], dx), xsum, total[p][c]);
        }
    }

    template <size_t P, size_t C>
    static void sum_block(const Block* const (&w)[P], const BlockQ8_0* const (&x)[C], typename V::Ints (&isum)[P][C]) {
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
            typename V::SignedBytes weights[P];
            for (size_t p = 0; p < P; ++p) {
                weights[p] = V::signed_weights(Format::weights(*w[p], group));
                bias[p] = V::add_bias(bias[p], weights[p]);
            }
            for (size_t c = 0; c < C; ++c) {
                V::dot_s8(dot, c, weights, x[c]->qs + 4 * group);
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
    using Block = PanelQ8_0;
    static constexpr int max = 128;
    static constexpr bool has_minimum = false;
    static typename V::Bytes weights(const Block& w, int group) { return V::load_bytes(w.quants[group]); }
};

template <class V>
typename V::Bytes nibbles_of_group(const uint8_t (&quants)[4][32], int group) {
    const typename V::Bytes q = V::load_bytes(quants[group % 4]);
    return group < 4 ? V::low_nibbles(q) : V::high_nibbles(q);
}

template <class V>
struct FormatQ4_0 {
    using Block = PanelQ4_0;
    static constexpr int max = 8;
    static constexpr bool has_minimum = false;
    static typename V::Bytes weights(const Block& w, int group) {
        return V::sub_bytes(nibbles_of_group<V>(w.quants, group), V::splat_byte(8));
    }
};

template <class V>
struct FormatQ4_1 {
    using Block = PanelQ4_1;
    static constexpr int max = 15;
    static constexpr bool has_minimum = true;
    static typename V::Bytes weights(const Block& w, int group) { return nibbles_of_group<V>(w.quants, group); }
};

template <class V, class Block>
typename V::Bytes five_bits_of_group(const Block& w, int group) {
    return V::or_bytes(nibbles_of_group<V>(w.quants, group), V::bit_as_16(V::load_bytes(w.high), group));
}

template <class V>
struct FormatQ5_0 {
    using Block = PanelQ5_0;
    static constexpr int max = 16;
    static constexpr bool has_minimum = false;
    static typename V::Bytes weights(const Block& w, int group) { return V::sub_bytes(five_bits_of_group<V>(w, group), V::splat_byte(16)); }
};

template <class V>
struct FormatQ5_1 {
    using Block = PanelQ5_1;
    static constexpr int max = 31;
    static constexpr bool has_minimum = true;
    static typename V::Bytes weights(const Block& w, int group) { return five_bits_of_group<V>(w, group); }
};

}  // namespace kylin
