// Dot products of Q8_0, Q4_0, Q4_1, Q5_0, Q5_1 and IQ4_NL weights with Q8_0 activations.
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

// Weights of eight bits where bytes without a sign cannot hold them. Format: Block and weights(block, 0, pair of groups, low, high).
template <class V, class Format>
struct SignedBlocks {
    using WeightFormat = Format;
    using Block = typename Format::Block;
    using Row = ActivationQ8_0;
    static constexpr int inputs = 32, inputs_of_step = 32;
    static constexpr size_t vectors = TileShape<V, Format>::vectors, rows = TileShape<V, Format>::rows;
    static constexpr InputLoads input_loads = InputLoads::many;
    // Where bytes are multiplied as signed ones anyway, a whole block is summed at once.
    static constexpr bool sums_blocks = std::is_same_v<typename V::SignedBytes, typename V::Bytes>;
    static_assert((sums_blocks ? 8 : 1) * V::products * 128 * 127 <= V::sum_max);

    template <size_t P, size_t C>
    static void compute(const TileInput& in, typename V::Floats (&total)[P][C]) {
        for (int b = 0; b < in.width / 32; ++b) {
            Weights<Block> w[P];
            for (size_t p = 0; p < P; ++p) w[p] = in.weights<V, Format>(p, b);
            in.fetch_ahead<V>(b);
            const ActivationQ8_0* x[C];
            for (size_t c = 0; c < C; ++c) x[c] = reinterpret_cast<const ActivationQ8_0*>(in.x + c * in.x_stride) + b;
            hold_addresses<V>(x);
            typename V::Ints isum[P][C];
            sum_block<P, C>(w, x, isum);
            for (size_t p = 0; p < P; ++p) {
                const typename V::Floats d = V::load_f16(w[p]->d + w[p].o);
                for (size_t c = 0; c < C; ++c) total[p][c] = V::fma(V::mul(d, V::splat(x[c]->d)), V::to_float(isum[p][c]), total[p][c]);
            }
        }
    }

private:
    template <size_t P, size_t C>
    static void sum_block(const Weights<Block> (&w)[P], const ActivationQ8_0* const (&x)[C], typename V::Ints (&isum)[P][C]) {
        typename V::Sums dot[P][C];
        for (size_t p = 0; p < P; ++p)
            for (size_t c = 0; c < C; ++c) {
                isum[p][c] = first_sum(w[p]);
                dot[p][c] = V::zero_sums();
            }
        const RowBytes<C> bytes(x, 0);
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) {
            typename V::Bytes low[P], high[P];
            for (size_t p = 0; p < P; ++p) Format::weights(w[p], 0, i, low[p], high[p]);
            if constexpr (sums_blocks) {
                dot_groups<V>(dot, low, high, bytes, 4 * i, 16 + 4 * i);
            } else {
                add_group<P, C>(low, 4 * i, bytes, isum);
                add_group<P, C>(high, 16 + 4 * i, bytes, isum);
            }
        }
        if constexpr (sums_blocks) {
            untangle<V>(dot);
            for (size_t p = 0; p < P; ++p)
                for (size_t c = 0; c < C; ++c) isum[p][c] = V::add_sums(isum[p][c], dot[p][c]);
        }
    }

    static constexpr bool has_negatives = requires(Weights<Block> w) { Format::negatives(w); };
    static typename V::Ints first_sum(Weights<Block> w) {
        if constexpr (has_negatives) return Format::negatives(w);
        return V::zero_ints();
    }

    // Inputs `first` .. `first` + 3. Where negative weights are summed up beforehand, their inputs need no more than to be flipped.
    template <size_t P, size_t C>
    static void add_group(const typename V::Bytes (&group)[P], int first, const RowBytes<C>& x, typename V::Ints (&isum)[P][C]) {
        typename V::SignedBytes weights[P];
        for (size_t p = 0; p < P; ++p) weights[p] = V::signed_weights(group[p]);
        for (size_t c = 0; c < C; ++c) {
            typename V::Sums dot[P][C];
            for (size_t p = 0; p < P; ++p) dot[p][c] = V::zero_sums();
            if constexpr (has_negatives)
                V::dot_flipped(dot, c, weights, x.at[c] + first);
            else
                V::dot_s8(dot, c, weights, x.at[c] + first);
            for (size_t p = 0; p < P; ++p) isum[p][c] = V::add_sums(isum[p][c], dot[p][c]);
        }
    }
};

// Weights as bytes without a sign: of q - offset, the offset meets the sum of the inputs. Format: Block, max (largest byte), either
// log2_offset or a minimum m in Block, and weights(block, 0, pair of groups, low, high).
template <class V, class Format>
struct UnsignedBlocks {
    using WeightFormat = Format;
    using Block = typename Format::Block;
    using Row = ActivationQ8_0;
    static constexpr int inputs = 32, inputs_of_step = 32;
    static constexpr size_t vectors = TileShape<V, Format>::vectors, rows = TileShape<V, Format>::rows;
    static constexpr InputLoads input_loads = InputLoads::many;
    static constexpr int largest = V::products * Format::max * 127;
    static constexpr int groups_per_sum = 8 * largest <= V::sum_max ? 8 : 4;
    static_assert(Format::max <= V::unsigned_max && groups_per_sum * largest <= V::sum_max);

    template <size_t P, size_t C>
    static void compute(const TileInput& in, typename V::Floats (&total)[P][C]) {
        for (int b = 0; b < in.width / 32; ++b) {
            Weights<Block> w[P];
            for (size_t p = 0; p < P; ++p) w[p] = in.weights<V, Format>(p, b);
            in.fetch_ahead<V>(b);
            const ActivationQ8_0* x[C];
            for (size_t c = 0; c < C; ++c) x[c] = reinterpret_cast<const ActivationQ8_0*>(in.x + c * in.x_stride) + b;
            hold_addresses<V>(x);
            typename V::Ints isum[P][C];
            sum_block<P, C>(w, x, isum);
            for (size_t p = 0; p < P; ++p)
                for (size_t c = 0; c < C; ++c) total[p][c] = add_block(w[p], *x[c], isum[p][c], total[p][c]);
        }
    }

private:
    template <size_t P, size_t C>
    static void sum_block(const Weights<Block> (&w)[P], const ActivationQ8_0* const (&x)[C], typename V::Ints (&isum)[P][C]) {
        typename V::Sums dot[P][C];
        for (size_t p = 0; p < P; ++p)
            for (size_t c = 0; c < C; ++c) {
                isum[p][c] = V::zero_ints();
                dot[p][c] = V::zero_sums();
            }
        const RowBytes<C> bytes(x, 0);
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) {
            typename V::Bytes low[P], high[P];
            for (size_t p = 0; p < P; ++p) Format::weights(w[p], 0, i, low[p], high[p]);
            dot_groups<V>(dot, low, high, bytes, 4 * i, 16 + 4 * i);
            if ((2 * i + 2) % groups_per_sum != 0) continue;
            untangle<V>(dot);
            for (size_t p = 0; p < P; ++p)
                for (size_t c = 0; c < C; ++c) {
                    isum[p][c] = V::add_sums(isum[p][c], dot[p][c]);
                    dot[p][c] = V::zero_sums();
                }
        }
    }

    static typename V::Floats add_block(Weights<Block> w, const ActivationQ8_0& x, typename V::Ints isum, typename V::Floats total) {
        const typename V::Floats dx = V::splat(x.d), scale = V::mul(V::load_f16(w->d + w.o), dx);
        const typename V::Ints xsum = V::splat_int(x.sum);
        if constexpr (requires { w->m; }) {
            total = V::fma(scale, V::to_float(isum), total);
            return V::fma(V::mul(V::load_f16(w->m + w.o), dx), V::to_float(xsum), total);
        } else {
            return V::fma(scale, V::to_float(V::sub_ints(isum, V::template shift_left<Format::log2_offset>(xsum))), total);
        }
    }
};

template <class V, class Panel>
struct FourBits {
    using Block = Panel;
    static constexpr int sub_blocks = 1, pairs = 4;
    static constexpr Unpacking unpacking = Unpacking::split;
    static constexpr int max = 15, log2_offset = 3;
    static void weights(Weights<Block> w, int, int i, typename V::Bytes& low, typename V::Bytes& high) {
        const typename V::Bytes q = V::load_bytes(w->quants[i] + 4 * w.o);
        low = V::low_nibbles(q);
        high = V::high_nibbles(q);
    }
};

template <class V, class Panel>
struct FiveBits {
    using Block = Panel;
    static constexpr int sub_blocks = 1, pairs = 4;
    static constexpr Unpacking unpacking = Unpacking::assemble;
    static constexpr int max = 31, log2_offset = 4;
    static void weights(Weights<Block> w, int, int i, typename V::Bytes& low, typename V::Bytes& high) {
        const typename V::Bytes q = V::load_bytes(w->quants[i] + 4 * w.o), h = V::load_bytes(w->high + 4 * w.o);
        low = V::or_bytes(V::low_nibbles(q), V::bit_as_16(h, i));
        high = V::or_bytes(V::high_nibbles(q), V::bit_as_16(h, i + 4));
    }
};

// Weights of eight bits: with their sign, or `biased` by 128 as bytes without one.
template <class V, bool biased>
typename V::Bytes eight_bits(typename V::Bytes v) {
    if constexpr (biased) return V::flip_sign_bits(v);
    return v;
}

template <class V, bool biased>
struct EightBits {
    using Block = PanelQ8_0;
    static constexpr int sub_blocks = 1, pairs = 4;
    static constexpr Unpacking unpacking = Unpacking::copy;
    static constexpr bool is_signed = !biased;
    static constexpr int max = 255, log2_offset = 7;
    static void weights(Weights<Block> w, int, int i, typename V::Bytes& low, typename V::Bytes& high) {
        low = eight_bits<V, biased>(V::load_bytes(w->quants[i] + 4 * w.o));
        high = eight_bits<V, biased>(V::load_bytes(w->quants[i + 4] + 4 * w.o));
    }
};

template <class V, bool biased>
struct FromTable {
    using Block = PanelIQ4NL;
    static constexpr int sub_blocks = 1, pairs = 4;
    static constexpr Unpacking unpacking = Unpacking::assemble;
    static constexpr bool is_signed = !biased;
    static constexpr int max = 113 + 128, log2_offset = 7;
    static void weights(Weights<Block> w, int, int i, typename V::Bytes& low, typename V::Bytes& high) {
        const typename V::Bytes q = V::load_bytes(w->quants[i] + 4 * w.o), table = eight_bits<V, biased>(V::splat16(iq4_nl_values));
        low = V::look_up(table, V::low_nibbles(q));
        high = V::look_up(table, V::high_nibbles(q));
    }
};

// Without a sign where V can multiply all 256 values of a byte.
template <class V, template <class, bool> class Format>
void walk_eight_bits(const MatmulTask& task) {
    if constexpr (V::unsigned_max == 255)
        walk<V, UnsignedBlocks, Format<V, true>>(task);
    else
        walk<V, SignedBlocks, Format<V, false>>(task);
}

}  // namespace kylin
