// Products of rows with a matrix in F32, tile by tile: scores and outputs of attention, and many rows with weights of floats.
#pragma once
#include "kernels/recipes/vector.h"

namespace kylin {
namespace {

// To c[j] is added the sum over i < depth of a[i] * b[i][j]: an fma chain over i that starts at c[j], or, where b is `from_zero`, one that
// starts at 0. In attention, scores from a query and keys, outputs from probabilities and values; else outputs from inputs and weights.
struct ProductRow {
    const float* a;
    float* c;
    size_t depth, n_columns;
};

// b is read by products, one column of vectors after the other; a page of the KV cache also line by line, to be converted.
enum class Reading : uint8_t { products, conversion };

// b as a block of F32.
struct BlockLines {
    const float* at;
    size_t stride;

    template <class V, Reading reading, class... Tail>
    typename V::Floats load(size_t i, size_t first, size_t v, Tail... tail) const {
        return V::load_f32(at + i * stride + first + v * V::lanes, tail...);
    }
};

// A chunk of a longer sum.
struct ChunkLines : BlockLines {
    static constexpr bool from_zero = true;
};

// T rows times N vectors of columns, over lines first .. last - 1; `tail` is the number of columns where they do not fill a vector.
// g++ 12 copies the sums through memory, on the way in and out, unless it is told to unroll (6 rows on a Zen 3: 46 and 50 GMAC/s of 52).
// Not inline: two tiles in one function have too few registers for their addresses.
template <class V, size_t T, size_t N, class B, class... Tail>
[[gnu::noinline]] void add_tile(const ProductRow* rows, B b, size_t j, size_t first, size_t last, Tail... tail) {
    constexpr size_t lanes = V::lanes;
    constexpr bool from_zero = requires { requires B::from_zero; };
    typename V::Floats sum[T][N];
    const float* a[T];
#pragma GCC unroll 8
    for (size_t t = 0; t < T; ++t) {
        a[t] = rows[t].a;
#pragma GCC unroll 8
        for (size_t v = 0; v < N; ++v) sum[t][v] = from_zero ? V::zero() : V::load_f32(rows[t].c + j + v * lanes, tail...);
    }
    for (size_t i = first; i < last; ++i) {
        typename V::Floats line[N];
#pragma GCC unroll 8
        for (size_t v = 0; v < N; ++v) line[v] = b.template load<V, Reading::products>(i, j, v, tail...);
#pragma GCC unroll 8
        for (size_t t = 0; t < T; ++t) {
            const typename V::Floats factor = V::splat(a[t][i]);
#pragma GCC unroll 8
            for (size_t v = 0; v < N; ++v) sum[t][v] = V::fma(factor, line[v], sum[t][v]);
        }
    }
#pragma GCC unroll 8
    for (size_t t = 0; t < T; ++t)
#pragma GCC unroll 8
        for (size_t v = 0; v < N; ++v) {
            float* c = rows[t].c + j + v * lanes;
            V::store(c, from_zero ? V::add(V::load_f32(c, tail...), sum[t][v]) : sum[t][v], tail...);
        }
}

// As many vectors of columns as leave registers for a line of b and an element of a, and enough chains to hide the latency of fma.
template <class V, size_t T>
constexpr size_t tile_vectors() {
    return T == 1 ? 8 : T == 2 || V::registers >= 32 ? 4 : 2;
}

// From column j on, N vectors at a time, then half as many, and so on: a tile of one vector would wait for its own chains.
template <class V, size_t T, size_t N, class B>
void add_columns(const ProductRow* rows, B b, size_t j, size_t first, size_t last) {
    const size_t n_columns = rows[T - 1].n_columns;
    for (; j + N * V::lanes <= n_columns; j += N * V::lanes) add_tile<V, T, N>(rows, b, j, first, last);
    if (j == n_columns) return;
    if constexpr (N > 1)
        add_columns<V, T, N / 2>(rows, b, j, first, last);
    else
        add_tile<V, T, 1>(rows, b, j, first, last, static_cast<int>(n_columns - j));
}

// The depth that the T rows share, together; then what a row has beyond the first one's, alone.
template <class V, size_t T, class B>
void add_rows(const ProductRow* rows, B b) {
    add_columns<V, T, tile_vectors<V, T>()>(rows, b, 0, 0, rows[0].depth);
    for (size_t t = 1; t < T; ++t)
        if (rows[t].depth > rows[0].depth) add_columns<V, 1, tile_vectors<V, 1>()>(rows + t, b, 0, rows[0].depth, rows[t].depth);
}

// Requires that depth and n_columns do not decrease from row to row.
template <class V, class B>
void multiply(const ProductRow* rows, size_t n, B b) {
    for (; n >= 6; n -= 6, rows += 6) add_rows<V, 6>(rows, b);
    if (n >= 4) add_rows<V, 4>(rows, b), n -= 4, rows += 4;
    if (n >= 2) add_rows<V, 2>(rows, b), n -= 2, rows += 2;
    if (n > 0) add_rows<V, 1>(rows, b);
}

}  // namespace
}  // namespace kylin
