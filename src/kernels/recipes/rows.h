// The operations on one row of floats: RMS norm, rotation of one head, silu(gate) * up, sum, peaks. Outputs may be the inputs.
#pragma once
#include "kernels/kernels.h"
#include "kernels/recipes/math.h"

namespace kylin {
namespace {

// The sum of squares: 16 sums in double, element i in sum i % 16, then folded in halves. Squares are exact in double.
template <class V>
double sum_of_squares(const float* x, int n) {
    typename V::Squares low = V::no_squares(), high = V::no_squares();
    int i = 0;
    for (; i + 16 <= n; i += 16) {
        low = V::add_squares(low, x + i);
        high = V::add_squares(high, x + i + 8);
    }
    low = V::add_squares(low, V::load_f32(x + i, n - i < 8 ? n - i : 8));
    if (n - i > 8) high = V::add_squares(high, V::load_f32(x + i + 8, n - i - 8));
    double all[16];
    V::store_squares(all, low);
    V::store_squares(all + 8, high);
    return fold_sum<16>(all);
}

// scale = float(1 / sqrt(mean + eps)), the mean in double; y = (x * scale) * weight in float: three roundings per value.
template <class V>
void rms_norm(const float* x, const float* weight, float eps, int n, float* y) {
    const double mean = sum_of_squares<V>(x, n) / n;
    const auto scale = V::splat(static_cast<float>(1.0 / __builtin_sqrt(mean + static_cast<double>(eps))));
    for_each_vector<V>(n, [&](int i, auto... tail) {
        V::store(y + i, V::mul(V::mul(V::load_f32(x + i, tail...), scale), V::load_f32(weight + i, tail...)), tail...);
    });
}

// (x0, x1) -> (x0 c - x1 s, x0 s + x1 c), every product and sum rounded.
template <class V>
void rope(const RopeTask& task, const float* x, float* y) {
    const int half = task.n_dims / 2;
    if (task.neox) {
        for_each_vector<V>(half, [&](int i, auto... tail) {
            const auto c = V::load_f32(task.cos + i, tail...), s = V::load_f32(task.sin + i, tail...);
            const auto x0 = V::load_f32(x + i, tail...), x1 = V::load_f32(x + half + i, tail...);
            V::store(y + i, V::sub(V::mul(x0, c), V::mul(x1, s)), tail...);
            V::store(y + half + i, V::add(V::mul(x0, s), V::mul(x1, c)), tail...);
        });
    } else {
        for (int i = 0; i < half; ++i) {
            const float c = task.cos[i], s = task.sin[i], x0 = x[2 * i], x1 = x[2 * i + 1];
            y[2 * i] = x0 * c - x1 * s;
            y[2 * i + 1] = x0 * s + x1 * c;
        }
    }
    if (y != x)
        for (int i = task.n_dims; i < task.head_dim; ++i) y[i] = x[i];
}

template <class V>
void silu_mul(const float* gate, const float* up, float* y, int n) {
    for_each_vector<V>(n, [&](int i, auto... tail) {
        V::store(y + i, V::mul(silu<V>(V::load_f32(gate + i, tail...)), V::load_f32(up + i, tail...)), tail...);
    });
}

template <class V>
void add(const float* a, const float* b, float* y, int n) {
    for_each_vector<V>(
        n, [&](int i, auto... tail) { V::store(y + i, V::add(V::load_f32(a + i, tail...), V::load_f32(b + i, tail...)), tail...); });
}

template <class V>
float peak_of(const float* x, int n) {
    auto largest = V::splat(x[0]), check = V::zero();
    for_each_vector<V>(n, [&](int i, auto... tail) {
        auto values = V::load_f32(x + i, tail...);
        check = V::add(check, V::sub(values, values));  // 0, or NaN from the first value on that is not finite
        if constexpr (sizeof...(tail) > 0) values = V::select(V::first(tail...), values, largest);
        largest = V::max(values, largest);
    });
    return max_lanes<V>(largest) + sum_lanes<V>(check);
}

template <class V>
void find_peaks(const float* x, int n, float* peaks) {
    constexpr int width = peak_width;
    for (int i = 0; i < n; i += width) peaks[i / width] = peak_of<V>(x + i, n - i < width ? n - i : width);
}

}  // namespace
}  // namespace kylin
