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
        y[b].d = finite ? V::round_to_f16(d) : __builtin_nanf("");
        const bool scalable = finite && __builtin_isfinite(inverse);
        const typename V::Floats scale = V::splat(scalable ? inverse : 0.0f);
        typename V::Ints q[4];
        for (int i = 0; i < 4; ++i) q[i] = scalable ? V::round_half_away(V::mul(V::load_f32(x + 8 * i), scale)) : V::zero_ints();
        V::store_s8(y[b].qs, q[0], q[1], q[2], q[3]);
        y[b].sum = V::sum_of_32(y[b].qs);
    }
}

// The value of the largest magnitude among 256, the first of equals; NaN or an infinity where one is not finite.
template <class V>
float largest_value(const float* x) {
    // As signed integers, floats with the sign 0 are in order and above the others; as unsigned, those with the sign 1 are, by magnitude.
    typename V::Ints above[2] = {V::bits(V::load_f32(x)), V::bits(V::load_f32(x + 8))}, below[2] = {above[0], above[1]};
    for (int i = 16; i < 256; i += 16)
        for (int j = 0; j < 2; ++j) {
            const typename V::Ints bits = V::bits(V::load_f32(x + i + j * 8));
            above[j] = V::max_ints(above[j], bits);
            below[j] = V::max_unsigned(below[j], bits);
        }
    constexpr uint32_t sign = 0x80000000u;
    const int32_t most = V::largest(V::max_ints(above[0], above[1]));
    const uint32_t least = V::largest_unsigned(V::max_unsigned(below[0], below[1]));
    const uint32_t plus = most < 0 ? 0 : static_cast<uint32_t>(most), minus = least < sign ? 0 : least - sign;
    if (plus != minus) return __builtin_bit_cast(float, plus > minus ? plus : least);
    for (int i = 0; i < 256; ++i)
        if (__builtin_fabsf(x[i]) == __builtin_bit_cast(float, plus)) return x[i];
    return __builtin_nanf("");
}

template <class V>
void sum_inputs(ActivationQ8_K& y) {
    int16_t eights[32];
    for (int i = 0; i < 2; ++i) {
        V::sums_of_8(y.qs + 128 * i, eights + 16 * i);
        V::add_neighbours(eights + 16 * i, y.sums_of_16 + 8 * i);
    }
    V::add_neighbours(y.sums_of_16, y.sums_of_32);
    for (int i = 0; i < 32; ++i) y.offsets_of_8[i] = static_cast<int16_t>(-32 * eights[i]);
}

template <class V>
void quantize_q8_k(const float* x, ActivationQ8_K* y, int n) {
    for (int b = 0; b < n / 256; ++b, x += 256) {
        const float largest = largest_value<V>(x);
        const bool finite = __builtin_isfinite(largest);
        const float inverse = finite && largest != 0.0f ? -127.0f / largest : 0.0f;
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
