// The searches behind the K formats: the scale, or scale and minimum, that fit a group of values best.
// The order of every float operation is ggml's, because the bits must be: no sum may be rearranged.
#pragma once
#include <cstdint>
#include <span>

namespace kylin {

inline constexpr float smallest_group = 1e-15f;  // a group of values below this is stored as zeros

// To the nearest integer, ties to even. Outside of +-2^22 the result is wrapped, as ggml's is.
int nearest(float x);
int nearest_clamped(float x, int low, int high);

// The first of largest magnitude, with its sign.
float extreme_of(std::span<const float> x);

// Where the search for a group's scale and minimum looks: inverse scales (first + step k + n_max) / range, k = 0 .. n_steps.
struct MinSearch {
    int n_max;
    float first, step;
    int n_steps;
    bool absolute_error;  // else squared
};

struct MinFit {
    float scale, min;  // x is about scale q - min
};

// Scale and minimum of a group of at most 32 values, and its quants 0 .. n_max. (ggml: make_qkx2_quants)
MinFit fit_with_min(const MinSearch& search, std::span<const float> x, std::span<const float> weights, uint8_t* q);

// Scale of a group and its quants, stored plus n_max. (ggml: make_qx_quants, weighted by the squared values)
float fit_scale(int n_max, std::span<const float> x, uint8_t* q);

// As fit_scale, but moving one quant at a time while that lowers the error. (ggml: make_q3_quants)
float fit_scale_stepwise(int n_max, std::span<const float> x, uint8_t* q);

}  // namespace kylin
