// Dot products of F32, F16 and BF16 weights with F32 activations.
//
// The float recipe of an output: inputs in chunks of 64; within a chunk part = fma(w, x, part) in order, from zero; then
// total = total + part. Each product so passes through at most 64 + n/64 roundings instead of n: the error is below
// gamma(64 + n/64) * sum |w x|, for n = 3072 a bound of 112 units instead of 3072.
#pragma once
#include "kernels/recipes/product.h"
#include "kernels/recipes/tile.h"

namespace kylin {

// Format: Block, an element; load(elements of one input).
template <class V, class Format>
struct FloatColumns {
    static constexpr size_t vectors = V::float_vectors, rows = V::float_rows;
    using Row = float;
    // Counting and moving on after each input costs as much as a few rows' products: 8 rows of BF16 on a Xeon core 55 and 65 GMAC/s.
    static constexpr int inputs = 1, inputs_of_step = 4;

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
        const auto add_input = [&](int i) __attribute__((always_inline)) {
            typename V::Floats wi[P];
            for (size_t p = 0; p < P; ++p) wi[p] = Format::load(w[p] + panel_outputs * i);
            for (size_t c = 0; c < C; ++c) {
                const typename V::Floats xi = V::splat(x[c][i]);
                for (size_t p = 0; p < P; ++p) sum[p][c] = V::fma(wi[p], xi, sum[p][c]);
            }
        };
        const auto move_on = [&](int inputs) __attribute__((always_inline)) {
            for (size_t p = 0; p < P; ++p) w[p] += panel_outputs * inputs;
            for (size_t c = 0; c < C; ++c) x[c] += inputs;
        };
        int i = 0;
        for (; i + inputs_of_step <= n; i += inputs_of_step) {
            in.fetch_ahead<V>((first + i) / inputs_of_step);
            hold_addresses<V>(x);
#pragma GCC unroll 4
            for (int j = 0; j < inputs_of_step; ++j) add_input(j);
            move_on(inputs_of_step);
        }
        for (; i < n; ++i) {
            add_input(0);
            move_on(1);
        }
        for (size_t p = 0; p < P; ++p)
            for (size_t c = 0; c < C; ++c) part[p][c] = sum[p][c];
    }
};

template <class V>
struct FormatF32 {
    using Block = float;
    static typename V::Floats load(const float* w) { return V::load_f32(w); }
};
template <class V>
struct FormatF16 {
    using Block = uint16_t;
    static typename V::Floats load(const uint16_t* w) { return V::load_f16(w); }
};
template <class V>
struct FormatBF16 {
    using Block = uint16_t;
    static typename V::Floats load(const uint16_t* w) { return V::load_bf16(w); }
};

// Many rows share floats of several panels, put together once: an input that is read once then meets several vectors of weights, and more
// sums hide the latency of fma. unpack(panel, first input, n, to, stride) writes n lines of 16 floats.
inline constexpr size_t shared_panels = 4;

// Part `nth` of `parts` of a chunk of the panels from `output` on. The processor does not see what follows, a chunk of another panel.
template <class V>
void fetch_chunk(const PackedMatrix& w, size_t output, int input, size_t nth, size_t parts) {
    constexpr size_t cache_line = 64;
    const size_t width = static_cast<size_t>(w.width()), bytes = w.panel_bytes() * float_chunk / width;
    for (size_t p = 0; p < shared_panels; ++p) {
        const std::byte* at = w.panel(static_cast<int>(output / panel_outputs + p)) + w.panel_bytes() * static_cast<size_t>(input) / width;
        for (size_t i = nth * cache_line; i < bytes; i += parts * cache_line) __builtin_prefetch(at + i, 0, V::locality);
    }
}

template <class V, class Unpack>
void walk_shared_floats(const MatmulTask& task, Unpack&& unpack) {
    constexpr size_t columns = shared_panels * panel_outputs, max_rows = 132, rows_at_once = 12;
    alignas(panel_alignment) float floats[float_chunk * columns];
    ProductRow rows[max_rows];
    const size_t n_rows = static_cast<size_t>(task.n_rows), end = static_cast<size_t>(task.first_output + task.n_outputs);
    const int width = task.weights->width();
    for (size_t r = 0; r < n_rows; r += max_rows) {
        const size_t n = least(n_rows - r, max_rows), parts = (n + rows_at_once - 1) / rows_at_once;
        for (size_t output = static_cast<size_t>(task.first_output); output < end; output += columns) {
            const size_t n_columns = least(end - output, columns);
            for (size_t i = 0; i < n; ++i) {
                rows[i] = {nullptr, task.y + (r + i) * task.y_stride + output, 0, n_columns};
                for (size_t o = 0; o < n_columns; ++o) rows[i].c[o] = 0;
            }
            for (int input = 0; input < width; input += float_chunk) {
                const int depth = width - input < float_chunk ? width - input : float_chunk;
                for (size_t o = 0; o < n_columns; o += panel_outputs)
                    unpack(static_cast<int>((output + o) / panel_outputs), input, depth, floats + o, columns);
                for (size_t i = 0; i < n; ++i) {
                    rows[i].a = reinterpret_cast<const float*>(task.x + (r + i) * task.x_stride) + input;
                    rows[i].depth = static_cast<size_t>(depth);
                }
                const bool ends = input + depth == width;
                for (size_t i = 0; i < n; i += rows_at_once) {
                    fetch_chunk<V>(*task.weights, ends ? output + columns : output, ends ? 0 : input + depth, i / rows_at_once, parts);
                    multiply<V>(rows + i, least(n - i, rows_at_once), ChunkLines{{floats, columns}});
                }
            }
        }
    }
}

template <class V, class Format>
void walk_floats(const MatmulTask& task) {
    if constexpr (requires { V::rows_to_share_floats; })
        if (task.n_rows >= V::rows_to_share_floats)
            return walk_shared_floats<V>(task, [&](int panel, int input, int n, float* to, size_t stride) {
                const auto* w = reinterpret_cast<const typename Format::Block*>(task.weights->panel(panel)) + panel_outputs * input;
                for (int i = 0; i < n; ++i, w += panel_outputs, to += stride)
                    for (size_t o = 0; o < panel_outputs; o += V::lanes) V::store(to + o, Format::load(w + o));
            });
    walk_tiles<V, FloatColumns<V, Format>>(task);
}

}  // namespace kylin
