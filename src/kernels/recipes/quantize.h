// Activations to Q8_0 and Q8_K, bit for bit as ggml's reference quantizers for every finite input (the definitions in plain loops are in
// isa/scalar.cpp). What the reference leaves undefined is defined here: a block with a NaN or an infinity gets d = NaN, so that every
// output it touches shows it; a block too small for its inverse scale to be finite counts as zeros.
#pragma once
#include "kernels/kernels.h"
#include "kernels/recipes/vector.h"

namespace kylin {

inline constexpr int f32_infinity_bits = 0x7f800000;  // magnitudes compare as integers, NaN above infinity

// The bits of the largest |x| of n values, n a multiple of 8.
template <class V>
int32_t largest_magnitude(const float* x, int n) {
    typename V::Ints largest = V::zero_ints();
    for (int i = 0; i < n; i += 8) largest = V::max_ints(largest, V::magnitude_bits(V::load_f32(x + i)));
    return V::largest(largest);
}

template <class V>
void quantize_q8_0(const float* x, ActivationQ8_0* y, int n) {
    for (int b = 0; b < n / 32; ++b, x += 32) {
        const int32_t amax_bits = largest_magnitude<V>(x, 32);
        const float d = __builtin_bit_cast(float, amax_bits) / 127.0f;
        const float inverse = d != 0.0f ? 1.0f / d : 0.0f;
        const bool finite = amax_bits < f32_infinity_bits;
        y[b].d = finite ? f16_to_f32(V::to_f16(d)) : __builtin_nanf("");
        const bool scalable = finite && __builtin_isfinite(inverse);
        const typename V::Floats scale = V::splat(scalable ? inverse : 0.0f);
        typename V::Ints q[4];
        for (int i = 0; i < 4; ++i) q[i] = scalable ? V::round_half_away(V::mul(V::load_f32(x + 8 * i), scale)) : V::zero_ints();
        V::store_s8(y[b].qs, q[0], q[1], q[2], q[3]);
        y[b].sum = V::sum_of_32(y[b].qs);
    }
}

// The first value of magnitude `bits` among 256.
template <class V>
float first_of_magnitude(const float* x, int32_t bits) {
    int i = 0;
    unsigned found = 0;
    while (i < 256 && (found = V::equal_mask(V::magnitude_bits(V::load_f32(x + i)), bits)) == 0) i += 8;
    return x[i + __builtin_ctz(found)];
}

template <class V>
void sum_inputs(ActivationQ8_K& y) {
    int16_t eights[32];
    for (int i = 0; i < 2; ++i) V::sums_of_8(y.qs + 128 * i, eights + 16 * i);
    for (int i = 0; i < 32; ++i) y.offsets_of_8[i] = static_cast<int16_t>(-32 * eights[i]);
    for (int i = 0; i < 16; ++i) y.sums_of_16[i] = static_cast<int16_t>(eights[2 * i] + eights[2 * i + 1]);
    for (int i = 0; i < 8; ++i) y.sums_of_32[i] = static_cast<int16_t>(y.sums_of_16[2 * i] + y.sums_of_16[2 * i + 1]);
}

template <class V>
void quantize_q8_k(const float* x, ActivationQ8_K* y, int n) {
    for (int b = 0; b < n / 256; ++b, x += 256) {
        const int32_t amax_bits = largest_magnitude<V>(x, 256);
        const bool finite = amax_bits < f32_infinity_bits;
        const float inverse = finite && amax_bits != 0 ? -127.0f / first_of_magnitude<V>(x, amax_bits) : 0.0f;
        if (inverse == 0.0f || !__builtin_isfinite(inverse)) {
            __builtin_memset(&y[b], 0, sizeof y[b]);
            if (!finite) y[b].d = __builtin_nanf("");
            continue;
        }
        y[b].d = 1.0f / inverse;
        const typename V::Floats scale = V::splat(inverse);
        for (int i = 0; i < 256; i += 32) {
            typename V::Ints q[4];
            for (int j = 0; j < 4; ++j) q[j] = V::round_half_even(V::mul(V::load_f32(x + i + 8 * j), scale));
            V::store_s8(y[b].qs + i, q[0], q[1], q[2], q[3]);
        }
        sum_inputs<V>(y[b]);
    }
}

}  // namespace kylin
