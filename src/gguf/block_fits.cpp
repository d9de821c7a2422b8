// Weighted least squares over a few dozen candidate scales.
#include "gguf/block_fits.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace kylin {

// The sum leaves the integer in the low bits of the float.
int nearest(float x) {
    const auto bits = std::bit_cast<int32_t>(x + 12582912.0f);
    return (bits & 0x007FFFFF) - 0x00400000;
}

int nearest_clamped(float x, int low, int high) { return std::clamp(nearest(x), low, high); }

float extreme_of(std::span<const float> x) {
    float magnitude = 0, extreme = 0;
    for (const float v : x)
        if (std::fabs(v) > magnitude) {
            magnitude = std::fabs(v);
            extreme = v;
        }
    return extreme;
}

namespace {

float to_float(int q) { return static_cast<float>(q); }

// While searching, MinFit::min is the offset itself, x = scale q + min; the result has it negated, as blocks store it.
float weighted_error(const MinSearch& search, std::span<const float> x, std::span<const float> weights, const uint8_t* q, MinFit fit) {
    float sum = 0;
    for (size_t i = 0; i < x.size(); ++i) {
        const float difference = fit.scale * to_float(q[i]) + fit.min - x[i];
        sum += weights[i] * (search.absolute_error ? std::fabs(difference) : difference * difference);
    }
    return sum;
}

void quantize_from(float min, float inverse_scale, int n_max, std::span<const float> x, uint8_t* q) {
    for (size_t i = 0; i < x.size(); ++i) q[i] = static_cast<uint8_t>(nearest_clamped(inverse_scale * (x[i] - min), 0, n_max));
}

// Weighted sums over one group, w the weights.
struct Moments {
    float w, wx;
};
Moments moments_of(std::span<const float> x, std::span<const float> weights) {
    Moments m = {weights[0], weights[0] * x[0]};
    for (size_t i = 1; i < x.size(); ++i) {
        m.w += weights[i];
        m.wx += weights[i] * x[i];
    }
    return m;
}

// The least-squares scale and offset for given quants; false when they do not determine it.
bool solve(Moments m, std::span<const float> x, std::span<const float> weights, const uint8_t* q, MinFit& fit) {
    float wq = 0, wqq = 0, wqx = 0;
    for (size_t i = 0; i < x.size(); ++i) {
        const float level = to_float(q[i]);
        wq += weights[i] * level;
        wqq += weights[i] * level * level;
        wqx += weights[i] * level * x[i];
    }
    const float determinant = m.w * wqq - wq * wq;
    if (!(determinant > 0)) return false;
    fit = {(m.w * wqx - m.wx * wq) / determinant, (wqq * m.wx - wq * wqx) / determinant};
    if (fit.min > 0) fit = {wqx / wqq, 0};
    return true;
}

}  // namespace

MinFit fit_with_min(const MinSearch& search, std::span<const float> x, std::span<const float> weights, uint8_t* q) {
    float min = x[0], max = x[0];
    for (const float v : x) {
        if (v < min) min = v;
        if (v > max) max = v;
    }
    if (min > 0) min = 0;
    if (max == min) {
        std::fill_n(q, x.size(), uint8_t{0});
        return {0, -min};
    }
    const Moments moments = moments_of(x, weights);
    const float first_min = min, first_range = max - min, first_inverse = to_float(search.n_max) / first_range;
    quantize_from(first_min, first_inverse, search.n_max, x, q);
    MinFit best = {1.0f / first_inverse, first_min};
    float best_error = weighted_error(search, x, weights, q, best);
    for (int k = 0; k <= search.n_steps; ++k) {
        const float inverse = (search.first + search.step * to_float(k) + to_float(search.n_max)) / (max - best.min);
        uint8_t trial[32];
        quantize_from(best.min, inverse, search.n_max, x, trial);
        MinFit fit;
        if (!solve(moments, x, weights, trial, fit)) continue;
        const float error = weighted_error(search, x, weights, trial, fit);
        if (!(error < best_error)) continue;
        std::copy_n(trial, x.size(), q);
        best = fit;
        best_error = error;
    }
    return {best.scale, -best.min};
}

float fit_scale(int n_max, std::span<const float> x, uint8_t* q) {
    const float extreme = extreme_of(x);
    if (std::fabs(extreme) < smallest_group) {
        std::fill_n(q, x.size(), uint8_t{0});
        return 0;
    }
    const auto level = [&](float inverse, float v) { return nearest_clamped(inverse * v, -n_max, n_max - 1); };
    float best_scale = 0, best = 0;
    // The plain scale first, then nine to either side; each is replaced by the least-squares scale of its quants.
    for (const int k : {0, -9, -8, -7, -6, -5, -4, -3, -2, -1, 1, 2, 3, 4, 5, 6, 7, 8, 9}) {
        const float inverse = -(to_float(n_max) + 0.1f * to_float(k)) / extreme;
        float wqx = 0, wqq = 0;
        for (const float v : x) {
            const float l = to_float(level(inverse, v)), weight = v * v;
            wqx += weight * v * l;
            wqq += weight * l * l;
        }
        if (k == 0) {
            best_scale = wqq != 0 ? wqx / wqq : 0.0f;
        } else if (wqq > 0 && wqx * wqx > best * wqq) {
            best_scale = wqx / wqq;
        } else {
            continue;
        }
        best = best_scale * wqx;
        for (size_t i = 0; i < x.size(); ++i) q[i] = static_cast<uint8_t>(level(inverse, x[i]) + n_max);
    }
    return best_scale;
}

float fit_scale_stepwise(int n_max, std::span<const float> x, uint8_t* q) {
    const float extreme = extreme_of(x);
    if (std::fabs(extreme) < smallest_group) {
        std::fill_n(q, x.size(), uint8_t{0});
        return 0;
    }
    const float inverse = to_float(-n_max) / extreme;
    int levels[32];
    float wqx = 0, wqq = 0;
    for (size_t i = 0; i < x.size(); ++i) {
        levels[i] = nearest_clamped(inverse * x[i], -n_max, n_max - 1);
        const float weight = x[i] * x[i], l = to_float(levels[i]);
        wqx += weight * x[i] * l;
        wqq += weight * l * l;
    }
    bool changed = true;
    for (int round = 0; round < 5 && changed; ++round) {
        changed = false;
        for (size_t i = 0; i < x.size(); ++i) {
            const float weight = x[i] * x[i], old = to_float(levels[i]);
            float other_qx = wqx - weight * x[i] * old;
            if (!(other_qx > 0)) continue;
            float other_qq = wqq - weight * old * old;
            const int level = nearest_clamped(x[i] * other_qq / other_qx, -n_max, n_max - 1);
            if (level == levels[i]) continue;
            const float l = to_float(level);
            other_qx += weight * x[i] * l;
            other_qq += weight * l * l;
            if (other_qq > 0 && other_qx * other_qx * wqq > wqx * wqx * other_qq) {
                levels[i] = level;
                wqx = other_qx;
                wqq = other_qq;
                changed = true;
            }
        }
    }
    for (size_t i = 0; i < x.size(); ++i) q[i] = static_cast<uint8_t>(levels[i] + n_max);
    return wqq > 0 ? wqx / wqq : 0.0f;
}

}  // namespace kylin
