// Dot products of F16 and BF16 weights in 12 bits with F32 activations: the float recipe of tile_float.h, and so its bits.
//
// A float is put together of two bytes, its upper half. The upper one is the sign and the upper 7 bits of the exponent, the lower one the
// lowest bit of the exponent and the mantissa; a code looks its exponent up in two tables.
#pragma once
#include "kernels/recipes/tile_float.h"

namespace kylin {

template <class V>
struct ShortColumns {
    // With 16 registers, 4 rows would keep their sums in memory.
    static constexpr size_t vectors = V::float_vectors, rows = V::registers < 32 ? 3 : V::float_rows;
    static constexpr int inputs_of_step = 8;
    static_assert(float_chunk == short_inputs);

    template <size_t P, size_t C>
    static void compute(const TileInput& in, typename V::Floats (&total)[P][C]) {
        const auto* head = reinterpret_cast<const PanelShortHead*>(in.panel);
        const auto* unit = reinterpret_cast<const PanelShortUnit*>(head + 1);
        const Tables tables = tables_of(*head);
        const Outlier* outlier = in.outliers;
        const float* x[C];
        for (size_t c = 0; c < C; ++c) x[c] = reinterpret_cast<const float*>(in.x + c * in.x_stride);
        for (int chunk = 0; chunk < in.width; chunk += float_chunk) {
            typename V::Floats sum[P][C];
            for (size_t p = 0; p < P; ++p)
                for (size_t c = 0; c < C; ++c) sum[p][c] = V::zero();
            for (int i = chunk; i < chunk + float_chunk; i += 8, ++unit) {
                in.fetch_ahead<V>(i / 8);
                hold_rows<V>(x);
                add_four<P, C>(in, tables, unit, 0, i, outlier, x, sum);
                add_four<P, C>(in, tables, unit, 1, i, outlier, x, sum);
                for (size_t c = 0; c < C; ++c) x[c] += 8;
            }
            for (size_t p = 0; p < P; ++p)
                for (size_t c = 0; c < C; ++c) total[p][c] = V::add(total[p][c], sum[p][c]);
        }
    }

    // Of n inputs, 16 floats each.
    static void unpack(const PackedMatrix& w, int panel, int input, int n, float* to, size_t stride) {
        const auto* head = reinterpret_cast<const PanelShortHead*>(w.panel(panel));
        const auto* unit = reinterpret_cast<const PanelShortUnit*>(head + 1) + input / 8;
        const Tables tables = tables_of(*head);
        float* at = to;
        for (int i = 0; i < n; i += 8, ++unit)
            for (int half = 0; half < 2; ++half, at += 4 * stride)
                for (size_t o = 0; o < panel_outputs; o += V::lanes) {
                    typename V::Floats w4[4];
                    weights(tables, unit->codes + 4 * o, unit->rest[half] + 4 * o, half, w4);
                    for (size_t j = 0; j < 4; ++j) V::store(at + j * stride + o, w4[j]);
                }
        const uint32_t first = static_cast<uint32_t>(panel_outputs * input), end = first + static_cast<uint32_t>(panel_outputs * n);
        for (const Outlier* outlier = w.outliers(panel); outlier->at < end; ++outlier)
            if (outlier->at >= first) to[(outlier->at - first) / panel_outputs * stride + outlier->at % panel_outputs] = outlier->value;
    }

private:
    struct Tables {
        typename V::Bytes upper, lower;
    };
    static Tables tables_of(const PanelShortHead& head) { return {V::splat16(head.upper), V::splat16(head.lower)}; }

    // The inputs of one half of a unit, of which `first` is the first, at x.
    template <size_t P, size_t C>
    [[gnu::always_inline]] static void add_four(const TileInput& in, const Tables& tables, const PanelShortUnit* unit, int half, int first,
                                                const Outlier*& outlier, const float* const (&x)[C], typename V::Floats (&sum)[P][C]) {
        const int input = first + 4 * half;
        const uint32_t end = static_cast<uint32_t>(panel_outputs * (input + 4));
#pragma GCC unroll 8
        for (size_t p = 0; p < P; ++p) {
            const size_t o = in.first_output + p * V::lanes;
            typename V::Floats w[4];
            weights(tables, unit->codes + 4 * o, unit->rest[half] + 4 * o, half, w);
            if (outlier->at < end) [[unlikely]]
                replace(w, outlier, input, static_cast<int>(o));
#pragma GCC unroll 8
            for (size_t i = 0; i < 4; ++i)
#pragma GCC unroll 8
                for (size_t c = 0; c < C; ++c) sum[p][c] = V::fma(w[i], V::splat(x[c][4 * static_cast<size_t>(half) + i]), sum[p][c]);
        }
        while (outlier->at < end) ++outlier;
    }

    static void weights(const Tables& tables, const uint8_t* codes, const uint8_t* rest, int half, typename V::Floats (&w)[4]) {
        const typename V::Bytes packed = V::load_bytes(codes), other = V::load_bytes(rest);
        const typename V::Bytes code = half == 0 ? V::low_nibbles(packed) : V::high_nibbles(packed);
        const typename V::Bytes upper = V::or_bytes(V::look_up(tables.upper, code), V::and_bytes(other, 0x80));
        V::floats_of_bytes(upper, V::or_bytes(V::look_up(tables.lower, code), V::and_bytes(other, 0x7f)), w);
    }

    // w[i] are outputs `first` and so on of input `input` + i. The outliers among them take their place, in registers: a way through memory
    // would be the compiler's excuse to keep w and the sums there.
    static void replace(typename V::Floats (&w)[4], const Outlier* outlier, int input, int first) {
        for (; outlier->at < static_cast<uint32_t>(panel_outputs * (input + 4)); ++outlier) {
            const int place = static_cast<int>(outlier->at), lane = place % panel_outputs - first;
            if (lane < 0 || lane >= V::lanes) continue;
            const typename V::Floats value = V::splat(outlier->value);
#pragma GCC unroll 4
            for (int i = 0; i < 4; ++i)
                if (i == place / panel_outputs - input) w[i] = V::select(V::first(lane), w[i], V::select(V::first(lane + 1), value, w[i]));
        }
    }
};

// With 16 registers, tiles of many rows share floats that were put together once. With 32, enough rows meet each to hide how it is made.
template <class V>
void walk_short_floats(const MatmulTask& task) {
    if constexpr (requires { V::rows_to_share_floats; }) {
        if (task.n_rows >= V::rows_to_share_floats)
            return walk_shared_floats<V>(task, [&](int panel, int input, int n, float* to, size_t stride) {
                ShortColumns<V>::unpack(*task.weights, panel, input, n, to, stride);
            });
    }
    if constexpr (V::registers < 32)
        if (task.n_rows > static_cast<int>(ShortColumns<V>::rows)) {
            constexpr int step = 4 * float_chunk;
            alignas(panel_alignment) float floats[step * panel_outputs];
            return walk_steps<V, FloatColumns<V, FormatF32<V>>>(task, step, [&](int panel, int input, int n) -> Step {
                ShortColumns<V>::unpack(*task.weights, panel, input, n, floats, panel_outputs);
                return {reinterpret_cast<const std::byte*>(floats)};
            });
        }
    walk_tiles<V, ShortColumns<V>>(task);
}

}  // namespace kylin
