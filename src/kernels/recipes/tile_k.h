// Dot products of Q4_K, Q5_K and Q6_K weights with Q8_K activations.
//
// The float recipe, for super-block 0, 1, ... of an output:
//   Q4_K, Q5_K   acc = fma(d * dy, float(isum), acc);  acc = fma(-(dmin * dy), float(msum), acc)
//   Q6_K         acc = fma(d * dy, float(isum), acc)
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
// 8 lanes with a share of 32 inputs each, as other engines sum them, would even be exact in F32.
static_assert(int64_t{32} * 32 * q8_max * 128 < (1 << 24));

// What Q4_K and Q5_K share. Format: Block, max (largest quant) and weights(block, sub-block, pair, low, high).
template <class V, class Format>
struct SuperBlocks {
    static constexpr int panels = 1;
    static_assert(Format::groups_per_sum * V::products * Format::max * q8_max <= V::sum_max);

    template <size_t P, size_t C>
    static void compute(const TileInput& in, typename V::Floats (&total)[P][C]) {
        static_assert(P == 1);
        const auto* w = reinterpret_cast<const typename Format::Block*>(in.panel);
        for (size_t c = 0; c < C; ++c) total[0][c] = V::zero();
        for (int b = 0; b < in.width / 256; ++b) {
            const BlockQ8_K* x[C];
            for (size_t c = 0; c < C; ++c) x[c] = reinterpret_cast<const BlockQ8_K*>(in.x + c * in.x_stride) + b;
            typename V::Ints isum[C];
            for (size_t c = 0; c < C; ++c) isum[c] = V::zero_ints();
            for (int s = 0; s < 8; ++s) add_sub_block<C>(w[b], s, x, isum);
            const typename V::Floats d = V::load_f16(w[b].d), dmin = V::load_f16(w[b].dmin);
            for (size_t c = 0; c < C; ++c) {
                const typename V::Floats dy = V::splat(x[c]->d);
                total[0][c] = V::fma(V::mul(d, dy), V::to_float(isum[c]), total[0][c]);
                total[0][c] = V::fnma(V::mul(dmin, dy), V::to_float(sum_mins(w[b], *x[c])), total[0][c]);
            }
        }
    }

private:
    template <size_t C>
    static void add_sub_block(const typename Format::Block& w, int s, const BlockQ8_K* const (&x)[C], typename V::Ints (&isum)[C]) {
        typename V::Sums dot[C];
        for (size_t c = 0; c < C; ++c) dot[c] = V::zero_sums();
        const typename V::Scales scale = V::scales(w.scales[s]);
        for (int i = 0; i < 4; ++i) {
            typename V::Bytes low, high;
            Format::weights(w, s, i, low, high);
            for (size_t c = 0; c < C; ++c) dot[c] = V::dot_u8(dot[c], low, V::splat4(x[c]->qs + 32 * s + 4 * i));
            for (size_t c = 0; c < C; ++c) dot[c] = V::dot_u8(dot[c], high, V::splat4(x[c]->qs + 32 * s + 16 + 4 * i));
            if ((2 * i + 2) % Format::groups_per_sum == 0)
                for (size_t c = 0; c < C; ++c) {
                    isum[c] = V::add_scaled(isum[c], dot[c], scale);
                    dot[c] = V::zero_sums();
                }
        }
    }

    static typename V::Ints sum_mins(const typename Format::Block& w, const BlockQ8_K& x) {
        const typename V::Pairs sums = V::sums_of_32(x.bsums);
        typename V::Ints msum = V::zero_ints();
        msum = V::dot_pairs(msum, V::pairs_u8(w.mins[0]), V::template pair<0>(sums));
        msum = V::dot_pairs(msum, V::pairs_u8(w.mins[1]), V::template pair<1>(sums));
        msum = V::dot_pairs(msum, V::pairs_u8(w.mins[2]), V::template pair<2>(sums));
        return V::dot_pairs(msum, V::pairs_u8(w.mins[3]), V::template pair<3>(sums));
    }
};

template <class V>
struct FormatQ4K {
    using Block = PanelQ4K;
    static constexpr int max = 15;
    static constexpr int groups_per_sum = 8;
    static void weights(const Block& w, int s, int i, typename V::Bytes& low, typename V::Bytes& high) {
        const typename V::Bytes q = V::load_bytes(w.quants[s][i]);
        low = V::low_nibbles(q);
        high = V::high_nibbles(q);
    }
};

template <class V>
struct FormatQ5K {
    using Block = PanelQ5K;
    static constexpr int max = 31;
    static constexpr int groups_per_sum = 8 * V::products * max * q8_max <= V::sum_max ? 8 : 4;
    static void weights(const Block& w, int s, int i, typename V::Bytes& low, typename V::Bytes& high) {
        const typename V::Bytes q = V::load_bytes(w.quants[s][i]), h = V::load_bytes(w.high[s]);
        low = V::or_bytes(V::low_nibbles(q), V::bit_as_16(h, i));
        high = V::or_bytes(V::high_nibbles(q), V::bit_as_16(h, i + 4));
    }
};

template <class V>
struct SuperBlocksQ6K {
    static constexpr int panels = 1;
    static constexpr int groups_per_sum = 4 * V::products * 63 * q8_max <= V::sum_max ? 4 : 2;
    static_assert(groups_per_sum * V::products * 63 * q8_max <= V::sum_max);

    template <size_t P, size_t C>
    static void compute(const TileInput& in, typename V::Floats (&total)[P][C]) {
        static_assert(P == 1);
        const auto* w = reinterpret_cast<const PanelQ6K*>(in.panel);
        for (size_t c = 0; c < C; ++c) total[0][c] = V::zero();
        for (int b = 0; b < in.width / 256; ++b) {
            const BlockQ8_K* x[C];
            for (size_t c = 0; c < C; ++c) x[c] = reinterpret_cast<const BlockQ8_K*>(in.x + c * in.x_stride) + b;
            typename V::Ints isum[C], offset[C];
            for (size_t c = 0; c < C; ++c) isum[c] = offset[c] = V::zero_ints();
            for (int s = 0; s < 8; ++s) {
                const typename V::Pairs pairs = V::pairs_s8(w[b].scales[s]);
                for (size_t c = 0; c < C; ++c) offset[c] = V::dot_pairs(offset[c], pairs, V::splat_pair(x[c]->bsums + 2 * s));
                add_sub_block<C>(w[b], 2 * s, V::even_scales(pairs), x, isum);
                add_sub_block<C>(w[b], 2 * s + 1, V::odd_scales(pairs), x, isum);
            }
            const typename V::Floats d = V::load_f32(w[b].d);
            for (size_t c = 0; c < C; ++c) {
                const typename V::Ints sum = V::sub_ints(isum[c], V::template shift_left<5>(offset[c]));
                total[0][c] = V::fma(V::mul(d, V::splat(x[c]->d)), V::to_float(sum), total[0][c]);
            }
        }
    }

private:
    template <size_t C>
    static void add_sub_block(const PanelQ6K& w, int s, typename V::Scales scale, const BlockQ8_K* const (&x)[C],
                              typename V::Ints (&isum)[C]) {
        typename V::Sums dot[C];
        for (size_t c = 0; c < C; ++c) dot[c] = V::zero_sums();
        const typename V::Bytes h = V::load_bytes(w.high[s]);
        for (int i = 0; i < 2; ++i) {
            const typename V::Bytes q = V::load_bytes(w.low[s][i]);
            const typename V::Bytes first = V::or_bytes(V::low_nibbles(q), V::two_bits_as_16(h, 2 * i));
            const typename V::Bytes second = V::or_bytes(V::high_nibbles(q), V::two_bits_as_16(h, 2 * i + 1));
            for (size_t c = 0; c < C; ++c) dot[c] = V::dot_u8(dot[c], first, V::splat4(x[c]->qs + 16 * s + 8 * i));
            for (size_t c = 0; c < C; ++c) dot[c] = V::dot_u8(dot[c], second, V::splat4(x[c]->qs + 16 * s + 8 * i + 4));
            if ((2 * i + 2) % groups_per_sum == 0)
                for (size_t c = 0; c < C; ++c) {
                    isum[c] = V::add_scaled(isum[c], dot[c], scale);
                    dot[c] = V::zero_sums();
                }
        }
    }
};

}  // namespace kylin
