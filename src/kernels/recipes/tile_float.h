// Dot products of F32, F16 and BF16 weights with F32 activations.
//
// The float recipe of an output: inputs in chunks of 64; within a chunk part = fma(w, x, part) in order, from zero; then
// total = total + part. Each product so passes through at most 64 + n/64 roundings instead of n: the error is below
// gamma(64 + n/64) * sum |w x|, for n = 3072 a bound of 112 units instead of 3072.
#pragma once
#include "kernels/recipes/tile.h"

namespace kylin {

// Format: Block, an element; load(elements of one input); inputs_of_step, those in a cache line.
template <class V, class Format>
struct FloatColumns {
    static constexpr size_t vectors = V::float_vectors, rows = V::float_rows;
    using Row = float;
    static constexpr int inputs = 1, inputs_of_step = Format::inputs_of_step;

    template <size_t P, size_t C>
    static void compute(const TileInput& in, typename V::Floats (&total)[P][C]) {
        for (int k = 0; k < in.width; k += float_chunk) {
            const int n = in.width - k < float_chunk ? in.width - k : float_chunk;
            typename V::Floats part[P][C];
            sum_chunk<P, C>(in, k, n, part);
            for (size_t p = 0; p < P; ++p)
                for (size_t c = 0; c < C; ++c) total[p][c] = V::add(total[p][c], part[p][c]);
        }
    }

private:
    template <size_t P, size_t C>
    static void sum_chunk(const TileInput& in, int first, int n, typename V::Floats (&part)[P][C]) {
        const typename Format::Block* w[P];
        const float* x[C];
        for (size_t p = 0; p < P; ++p) {
            const auto column = in.weights<V, Format>(p, panel_outputs * first);
            w[p] = column.at + column.o;
        }
        for (size_t c = 0; c < C; ++c) x[c] = reinterpret_cast<const float*>(in.x + c * in.x_stride) + first;
        typename V::Floats sum[P][C];
        for (size_t p = 0; p < P; ++p)
            for (size_t c = 0; c < C; ++c) sum[p][c] = V::zero();
        for (int i = 0; i < n; ++i) {
            if (i % inputs_of_step == 0) in.fetch_ahead<V>((first + i) / inputs_of_step);
            typename V::Floats wi[P];
            for (size_t p = 0; p < P; ++p) wi[p] = Format::load(w[p] + panel_outputs * i);
            for (size_t c = 0; c < C; ++c) {
                const typename V::Floats xi = V::splat(x[c][i]);
                for (size_t p = 0; p < P; ++p) sum[p][c] = V::fma(wi[p], xi, sum[p][c]);
            }
        }
        for (size_t p = 0; p < P; ++p)
            for (size_t c = 0; c < C; ++c) part[p][c] = sum[p][c];
    }
};

template <class V>
struct FormatF32 {
    using Block = float;
    static constexpr int inputs_of_step = 1;
    static typename V::Floats load(const float* w) { return V::load_f32(w); }
};
template <class V>
struct FormatF16 {
    using Block = uint16_t;
    static constexpr int inputs_of_step = 2;
    static typename V::Floats load(const uint16_t* w) { return V::load_f16(w); }
};
template <class V>
struct FormatBF16 {
    using Block = uint16_t;
    static constexpr int inputs_of_step = 2;
    static typename V::Floats load(const uint16_t* w) { return V::load_bf16(w); }
};

}  // namespace kylin
