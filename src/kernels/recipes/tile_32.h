// Dot products of Q8_0, Q4_0, Q4_1, Q5_0 and Q5_1 weights with Q8_0 activations.
//
// The float recipe, for block 0, 1, ... of an output:
//   acc = fma(dw * dx, float(isum), acc), isum the exact sum of 32 products
//   Q4_1, Q5_1 then   acc = fma(mw * dx, float(xsum), acc), xsum the exact sum of the 32 inputs
// |isum| and |xsum| < 2^24, so their conversion is exact: two roundings for each line of a block (the product's and the fma's).
#pragma once
#include <type_traits>

#include "kernels/recipes/tile.h"

namespace kylin {

// Of a quant in a file -128 may occur, of an activation it never does.
static_assert(32 * 128 * 127 < (1 << 24));

// Weights with a sign. Format: Block, max (largest magnitude) and weights(block, group).
template <class V, class Format>
struct SignedBlocks {
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
        }
    }

private:
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

// Weights of 4 or 5 bits, without a sign: of q - offset, the offset meets the sum of the inputs. Format: Block, max (largest quant), either
// log2_offset or a minimum m in Block, and weights(block, pair of groups, low, high).
template <class V, class Format>
struct UnsignedBlocks {
    using Block = typename Format::Block;
    static constexpr size_t panels = V::signed_panels, rows = V::signed_rows;
    static constexpr int largest = V::products * Format::max * 127;
    static constexpr int groups_per_sum = 8 * largest <= V::sum_max ? 8 : 4;
    static_assert(groups_per_sum * largest <= V::sum_max);

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
            add_block<P, C>(w, x, isum, total);
        }
    }

private:
    template <size_t P, size_t C>
    static void sum_block(const Block* const (&w)[P], const BlockQ8_0* const (&x)[C], typename V::Ints (&isum)[P][C]) {
        typename V::Sums dot[P][C];
        for (size_t p = 0; p < P; ++p)
            for (size_t c = 0; c < C; ++c) {
                isum[p][c] = V::zero_ints();
                dot[p][c] = V::zero_sums();
            }
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) {
            typename V::Bytes low[P], high[P];
            for (size_t p = 0; p < P; ++p) Format::weights(*w[p], i, low[p], high[p]);
            for (size_t c = 0; c < C; ++c) V::dot_u8(dot, c, low, x[c]->qs + 4 * i);
            for (size_t c = 0; c < C; ++c) V::dot_u8(dot, c, high, x[c]->qs + 16 + 4 * i);
            if ((2 * i + 2) % groups_per_sum == 0)
                for (size_t p = 0; p < P; ++p)
                    for (size_t c = 0; c < C; ++c) {
                        isum[p][c] = V::add_sums(isum[p][c], dot[p][c]);
                        dot[p][c] = V::zero_sums();
                    }
        }
    }

    template <size_t P, size_t C>
    static void add_block(const Block* const (&w)[P], const BlockQ8_0* const (&x)[C], const typename V::Ints (&isum)[P][C],
                          typename V::Floats (&total)[P][C]) {
        for (size_t c = 0; c < C; ++c) {
            const typename V::Floats dx = V::splat_f16(x[c]->d);
            const typename V::Ints xsum = V::sum_of_32(x[c]->qs);
            for (size_t p = 0; p < P; ++p) {
                const typename V::Floats scale = V::mul(V::load_f16(w[p]->d), dx);
                if constexpr (requires { w[p]->m; }) {
                    total[p][c] = V::fma(scale, V::to_float(isum[p][c]), total[p][c]);
                    total[p][c] = V::fma(V::mul(V::load_f16(w[p]->m), dx), V::to_float(xsum), total[p][c]);
                } else {
                    const typename V::Ints offset = V::template shift_left<Format::log2_offset>(xsum);
                    total[p][c] = V::fma(scale, V::to_float(V::sub_ints(isum[p][c], offset)), total[p][c]);
                }
            }
        }
    }
};

template <class V, class Panel>
struct FourBits {
    using Block = Panel;
    static constexpr int max = 15, log2_offset = 3;
    static void weights(const Block& w, int i, typename V::Bytes& low, typename V::Bytes& high) {
        const typename V::Bytes q = V::load_bytes(w.quants[i]);
        low = V::low_nibbles(q);
        high = V::high_nibbles(q);
    }
};

template <class V, class Panel>
struct FiveBits {
    using Block = Panel;
    static constexpr int max = 31, log2_offset = 4;
    static void weights(const Block& w, int i, typename V::Bytes& low, typename V::Bytes& high) {
        const typename V::Bytes q = V::load_bytes(w.quants[i]), h = V::load_bytes(w.high);
        low = V::or_bytes(V::low_nibbles(q), V::bit_as_16(h, i));
        high = V::or_bytes(V::high_nibbles(q), V::bit_as_16(h, i + 4));
    }
};

template <class V>
struct EightBits {
    using Block = PanelQ8_0;
    static constexpr int max = 128;
    static typename V::Bytes weights(const Block& w, int group) { return V::load_bytes(w.quants[group]); }
};

// q - offset as one signed byte.
template <class V, class Unsigned>
struct Shifted {
    using Block = typename Unsigned::Block;
    static constexpr int max = 1 << Unsigned::log2_offset;
    static typename V::Bytes weights(const Block& w, int group) {
        typename V::Bytes low, high;
        Unsigned::weights(w, group % 4, low, high);
        return V::sub_bytes(group < 4 ? low : high, V::splat_byte(max));
    }
};

// The sums are exact either way: the faster is taken. (One core, many rows: signed 130 against 115 GMAC/s with VNNI, 53 against 95
// without.)
template <class V, class Format>
using OffsetBlocks = std::conditional_t<V::products == 4, SignedBlocks<V, Shifted<V, Format>>, UnsignedBlocks<V, Format>>;

}  // namespace kylin
