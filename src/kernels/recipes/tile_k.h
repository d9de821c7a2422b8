// Dot products of Q2_K, Q4_K, Q5_K and Q6_K weights with Q8_K activations.
//
// The float recipe, for super-block 0, 1, ... of an output:
//   Q2_K, Q4_K, Q5_K   acc = fma(d * dy, float(isum), acc);  acc = fma(-(dmin * dy), float(msum), acc)
//   Q6_K               acc = fma(d * dy, float(isum), acc)
// with isum = sum of scale * q * x and msum = sum of min * x over the 256 inputs, exact int32 sums, and d, dmin exact from F16.
// float(isum) rounds once where |isum| exceeds 2^24, so an output carries at most three (Q6_K: two) roundings and one product's per
// super-block beyond the exact sum.
#pragma once
#include "kernels/recipes/tile.h"

namespace kylin {

inline constexpr int q8_max = 127;  // of an activation; -128 never occurs
inline constexpr int k_scale_max = 63;

// int32 holds every sum over a super-block, before and after the offset of Q6_K is taken out.
static_assert(int64_t{256} * 31 * q8_max * k_scale_max < INT32_MAX);
static_assert(int64_t{256} * 63 * q8_max * 128 < INT32_MAX);
static_assert(int64_t{256} * 3 * 16 * q8_max * 15 < INT32_MAX);
// 8 lanes with a share of 32 inputs each, as other engines sum them, would even be exact in F32.
static_assert(int64_t{32} * 32 * q8_max * 128 < (1 << 24));

template <class V>
concept ScalesShortSums = requires {
    &V::add_scaled_short;
};

template <class V, bool short_sums>
typename V::Ints add_scaled(typename V::Ints total, typename V::Sums sums, typename V::Scales scale) {
    if constexpr (short_sums)
        return V::add_scaled_short(total, sums, scale);
    else
        return V::add_scaled(total, sums, scale);
}

// What Q4_K and Q5_K share. Format: Block, max (largest quant), groups_per_sum and weights(block, sub-block, pair, low, high).
template <class V, class Format>
struct SuperBlocks {
    using WeightFormat = Format;
    using Block = typename Format::Block;
    using Row = ActivationQ8_K;
    static constexpr int inputs = 256, inputs_of_step = 32;
    static constexpr size_t vectors = TileShape<V, Format>::vectors, rows = TileShape<V, Format>::rows;
    static constexpr InputLoads input_loads = InputLoads::few;
    // Of 16 inputs, if a sum of them fits in int16 and V has an instruction for such.
    static constexpr bool short_sums = ScalesShortSums<V> && 4 * V::products * Format::max * q8_max <= INT16_MAX;
    static constexpr int groups_per_sum = short_sums ? 4 : Format::groups_per_sum;
    static_assert(groups_per_sum * V::products * Format::max * q8_max <= V::sum_max);

    template <size_t P, size_t C>
    static void compute(const TileInput& in, typename V::Floats (&total)[P][C]) {
        for (int b = 0; b < in.width / 256; ++b) {
            Weights<Block> w[P];
            for (size_t p = 0; p < P; ++p) w[p] = in.weights<V, Format>(p, b);
            const ActivationQ8_K* x[C];
            for (size_t c = 0; c < C; ++c) x[c] = reinterpret_cast<const ActivationQ8_K*>(in.x + c * in.x_stride) + b;
            hold_blocks<V>(w, x);
            typename V::Ints isum[P][C];
            for (size_t p = 0; p < P; ++p)
                for (size_t c = 0; c < C; ++c) isum[p][c] = V::zero_ints();
            for (int s = 0; s < 8; ++s) {
                in.fetch_ahead<V>(8 * b + s);
                add_sub_block<P, C>(w, s, x, isum);
            }
            for (size_t p = 0; p < P; ++p) {
                const typename V::Floats d = V::load_f16(w[p]->d + w[p].o), dmin = V::load_f16(w[p]->dmin + w[p].o);
                for (size_t c = 0; c < C; ++c) {
                    const typename V::Floats dy = V::splat(x[c]->d);
                    total[p][c] = V::fma(V::mul(d, dy), V::to_float(isum[p][c]), total[p][c]);
                    total[p][c] = V::fnma(V::mul(dmin, dy), V::to_float(sum_mins(w[p], *x[c])), total[p][c]);
                }
            }
        }
    }

private:
    template <size_t P, size_t C>
    static void add_sub_block(const Weights<Block> (&w)[P], int s, const ActivationQ8_K* const (&x)[C], typename V::Ints (&isum)[P][C]) {
        typename V::Sums dot[P][C];
        for (size_t p = 0; p < P; ++p)
            for (size_t c = 0; c < C; ++c) dot[p][c] = V::zero_sums();
        RowBytes<C> bytes(x, 32 * s);
        hold_addresses<V>(bytes.at);
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) {
            typename V::Bytes low[P], high[P];
            for (size_t p = 0; p < P; ++p) Format::weights(w[p], s, i, low[p], high[p]);
            dot_groups<V>(dot, low, high, bytes, 4 * i, 16 + 4 * i);
            if ((2 * i + 2) % groups_per_sum != 0) continue;
            untangle<V>(dot);
            for (size_t p = 0; p < P; ++p) {
                const typename V::Scales scale = V::scales(w[p]->scales[s] + w[p].o);
                for (size_t c = 0; c < C; ++c) {
                    isum[p][c] = add_scaled<V, short_sums>(isum[p][c], dot[p][c], scale);
                    dot[p][c] = V::zero_sums();
                }
            }
        }
    }

    static typename V::Ints sum_mins(Weights<Block> w, const ActivationQ8_K& x) {
        typename V::Ints msum = V::zero_ints();
        for (int i = 0; i < 4; ++i) msum = V::dot_pairs(msum, V::pairs_u8(w->mins[i] + w.o), V::splat_pair(x.sums_of_32 + 2 * i));
        return msum;
    }
};

template <class V>
struct FormatQ4K {
    using Block = PanelQ4K;
    static constexpr int sub_blocks = 8, pairs = 4;
    static constexpr Unpacking unpacking = Unpacking::split;
    static constexpr int max = 15;
    static constexpr int groups_per_sum = 8;
    static void weights(Weights<Block> w, int s, int i, typename V::Bytes& low, typename V::Bytes& high) {
        const typename V::Bytes q = V::load_bytes(w->quants[s][i] + 4 * w.o);
        low = V::low_nibbles(q);
        high = V::high_nibbles(q);
    }
};

template <class V>
struct FormatQ5K {
    using Block = PanelQ5K;
    static constexpr int sub_blocks = 8, pairs = 4;
    static constexpr Unpacking unpacking = Unpacking::assemble;
    static constexpr int max = 31;
    static constexpr int groups_per_sum = 8 * V::products * max * q8_max <= V::sum_max ? 8 : 4;
    static void weights(Weights<Block> w, int s, int i, typename V::Bytes& low, typename V::Bytes& high) {
        const typename V::Bytes q = V::load_bytes(w->sub_blocks[s].quants[i] + 4 * w.o), h = V::load_bytes(w->sub_blocks[s].high + 4 * w.o);
        low = V::or_bytes(V::low_nibbles(q), V::bit_as_16(h, i));
        high = V::or_bytes(V::high_nibbles(q), V::bit_as_16(h, i + 4));
    }
};

// What Q6_K and Q2_K share: 16 sub-blocks of 16 inputs. Format: Block, max (largest byte) and weights(block, sub-block, pair, first,
// second), two groups of inputs. A Block with `mins` is Q2_K's.
template <class V, class Format>
struct ShortSubBlocks {
    using WeightFormat = Format;
    using Block = typename Format::Block;
    using Row = ActivationQ8_K;
    static constexpr int inputs = 256, inputs_of_step = 32;
    static constexpr size_t vectors = TileShape<V, Format>::vectors, rows = TileShape<V, Format>::rows;
    static constexpr bool has_mins = requires(Block b) { b.mins; };
    // Sums of 8 inputs of Q6_K fit in int16 if they begin with the offset of q - 32.
    static constexpr bool short_sums = ScalesShortSums<V> && !has_mins;
    static_assert(8 * 32 * q8_max <= INT16_MAX);
    static constexpr InputLoads input_loads = short_sums ? InputLoads::most : InputLoads::few;  // two products and an offset for a scale
    static constexpr int pairs_per_sum = !short_sums && 4 * V::products * Format::max * q8_max <= V::sum_max ? 2 : 1;
    static_assert(2 * pairs_per_sum * V::products * Format::max * q8_max <= V::sum_max);

    template <size_t P, size_t C>
    static void compute(const TileInput& in, typename V::Floats (&total)[P][C]) {
        for (int b = 0; b < in.width / 256; ++b) {
            Weights<Block> w[P];
            for (size_t p = 0; p < P; ++p) w[p] = in.weights<V, Format>(p, b);
            const ActivationQ8_K* x[C];
            for (size_t c = 0; c < C; ++c) x[c] = reinterpret_cast<const ActivationQ8_K*>(in.x + c * in.x_stride) + b;
            hold_blocks<V>(w, x);
            typename V::Ints isum[P][C];
            for (size_t p = 0; p < P; ++p)
                for (size_t c = 0; c < C; ++c) isum[p][c] = first_sum(w[p], *x[c]);
            for (int s = 0; s < 8; ++s) {
                in.fetch_ahead<V>(8 * b + s);
                add_sub_blocks<P, C>(w, s, x, isum);
            }
            // Unrolled, since g++ 12 else keeps the sums of 8 rows of Q2_K in memory.
            for (size_t p = 0; p < P; ++p)
#pragma GCC unroll 8
                for (size_t c = 0; c < C; ++c) total[p][c] = add_super_block(w[p], *x[c], isum[p][c], total[p][c]);
        }
    }

private:
    static typename V::Ints dot_sums(const int8_t (&pairs)[8][panel_outputs][2], size_t o, const ActivationQ8_K& x) {
        typename V::Ints sum = V::zero_ints();
        for (int s = 0; s < 8; ++s) sum = V::dot_pairs(sum, V::pairs_s8(pairs[s] + o), V::splat_pair(x.sums_of_16 + 2 * s));
        return sum;
    }

    // The products of Q6_K are those of q, not of q - 32: minus 32 times the sum of scale * x.
    static typename V::Ints first_sum(Weights<Block> w, const ActivationQ8_K& x) {
        if constexpr (has_mins || short_sums) return V::zero_ints();
        return V::sub_ints(V::zero_ints(), V::template shift_left<5>(dot_sums(w->scales, w.o, x)));
    }

    static typename V::Floats add_super_block(Weights<Block> w, const ActivationQ8_K& x, typename V::Ints isum, typename V::Floats total) {
        const typename V::Floats dy = V::splat(x.d), d = V::load_f32(w->d + w.o);
        if constexpr (has_mins) {
            total = V::fma(V::mul(d, dy), V::to_float(V::template shift_right<4>(isum)), total);  // the bytes are 16 q
            return V::fnma(V::mul(V::load_f32(w->dmin + w.o), dy), V::to_float(dot_sums(w->mins, w.o, x)), total);
        } else {
            return V::fma(V::mul(d, dy), V::to_float(isum), total);
        }
    }

    // What a sum of every row multiplies: pairs of groups of sub-blocks 2 * sub_blocks and the next, from their `first`-th on, and a scale.
    template <size_t P>
    struct Factors {
        static constexpr size_t n = static_cast<size_t>(pairs_per_sum);
        int sub_blocks, first;
        typename V::Bytes low[n][P], high[n][P];
        typename V::Scales scale[P];
    };

    // One row after the other, so that few sums are in registers at a time; two, where an instruction multiplies two.
    template <size_t P, size_t C>
    static void add_sub_blocks(const Weights<Block> (&w)[P], int s, const ActivationQ8_K* const (&x)[C], typename V::Ints (&isum)[P][C]) {
        constexpr size_t together = MultipliesTwoRows<V> && C > 1 ? 2 : 1;
        RowBytes<C> bytes(x, 32 * s);
        hold_addresses<V>(bytes.at);
#pragma GCC unroll 4
        for (int i = 0; i < 4; i += pairs_per_sum) {
            const Factors<P> factors = factors_of(w, s, i);
#pragma GCC unroll 8
            for (size_t c = 0; c + together <= C; c += together) add_rows<together>(factors, x, bytes, c, isum);
            if constexpr (C % together != 0) add_rows<1>(factors, x, bytes, C - 1, isum);
        }
    }

    template <size_t P>
    [[gnu::always_inline]] static Factors<P> factors_of(const Weights<Block> (&w)[P], int s, int first) {
        Factors<P> f;
        f.sub_blocks = s;
        f.first = first;
        for (size_t p = 0; p < P; ++p) {
            for (int i = 0; i < pairs_per_sum; ++i) Format::weights(w[p], 2 * s + first / 2, first % 2 + i, f.low[i][p], f.high[i][p]);
            const auto* scales = w[p]->scales[s] + w[p].o;
            if constexpr (short_sums)
                f.scale[p] = V::alternate_short_scales(scales, first / 2);
            else
                f.scale[p] = V::alternate_scales(scales, first / 2);
        }
        return f;
    }

    template <size_t R, size_t P, size_t C>
    [[gnu::always_inline]] static void add_rows(const Factors<P>& f, const ActivationQ8_K* const (&x)[C], const RowBytes<C>& bytes,
                                                size_t row, typename V::Ints (&isum)[P][C]) {
        typename V::Sums dot[P][R];
        for (size_t p = 0; p < P; ++p)
            for (size_t r = 0; r < R; ++r) dot[p][r] = first_of_sum(*x[row + r], 4 * f.sub_blocks + f.first);
        for (int i = 0; i < pairs_per_sum; ++i) {
            const int input = 8 * (f.first + i);
            dot_groups<V>(dot, f.low[i], f.high[i], bytes.template rows<R>(row), input, input + 4);
        }
        untangle<V>(dot);
        for (size_t p = 0; p < P; ++p)
            for (size_t r = 0; r < R; ++r) isum[p][row + r] = add_scaled<V, short_sums>(isum[p][row + r], dot[p][r], f.scale[p]);
    }

    // Only the lower half of a lane of a short sum counts: it may begin with the offsets of its own inputs and of the next.
    [[gnu::always_inline]] static typename V::Sums first_of_sum(const ActivationQ8_K& x, int nth) {
        if constexpr (short_sums)
            return V::splat_pair(x.offsets_of_8 + nth);
        else
            return V::zero_sums();
    }
};

template <class V>
struct FormatQ6K {
    using Block = PanelQ6K;
    static constexpr int sub_blocks = 16, pairs = 2;
    static constexpr Unpacking unpacking = Unpacking::assemble;
    static constexpr int max = 63;
    static void weights(Weights<Block> w, int s, int i, typename V::Bytes& first, typename V::Bytes& second) {
        const typename V::Bytes q = V::load_bytes(w->sub_blocks[s].low[i] + 4 * w.o), h = V::load_bytes(w->sub_blocks[s].high + 4 * w.o);
        first = V::or_bytes(V::low_nibbles(q), V::two_bits_as_16(h, 2 * i));
        second = V::or_bytes(V::high_nibbles(q), V::two_bits_as_16(h, 2 * i + 1));
    }
};

template <class V>
struct FormatQ2K {
    using Block = PanelQ2K;
    static constexpr int sub_blocks = 16, pairs = 2;
    static constexpr Unpacking unpacking = Unpacking::split;
    static constexpr int max = 3 * 16;
    static void weights(Weights<Block> w, int s, int i, typename V::Bytes& first, typename V::Bytes& second) {
        const typename V::Bytes q = V::load_bytes(w->quants[s] + 4 * w.o);
        first = V::two_bits_as_16(q, 2 * i);
        second = V::two_bits_as_16(q, 2 * i + 1);
    }
};

}  // namespace kylin
