// exp and silu of 8 floats: the same bits on every instruction set and in every lane, unlike the C library's.
#pragma once
#include "kernels/recipes/vector.h"

namespace kylin {
namespace {

// 2^n * y
template <class V>
struct Scaled {
    typename V::Floats y;
    typename V::Ints n;
};

// x = n ln 2 + r with |r| <= ln(2) / 2, exp(x) = 2^n (1 + r + r^2 q(r)); q is the minimax polynomial of degree 4, whose own error is
// 2^-28 of the result. The error is below 0.9 ulp. NaN stays NaN.
template <class V>
Scaled<V> exp_scaled(typename V::Floats x) {
    using Floats = typename V::Floats;
    // Adding 1.5 * 2^23 leaves the rounded integer in the low bits: no conversion, whose result for NaN would differ.
    const Floats shifter = V::splat(0x1.8p23f);
    const Floats shifted = V::fma(x, V::splat(0x1.715476p0f), shifter);
    const Floats n = V::sub(shifted, shifter);
    // high is exact, and low is added to the polynomial, which is small: only the last two sums round visibly.
    const Floats high = V::fnma(n, V::splat(0x1.62e430p-1f), x), low = V::mul(n, V::splat(0x1.05c610p-29f)), r = V::add(high, low);
    Floats q = V::splat(0x1.6a2434p-10f);
    q = V::fma(q, r, V::splat(0x1.1239e2p-7f));
    q = V::fma(q, r, V::splat(0x1.5558f2p-5f));
    q = V::fma(q, r, V::splat(0x1.555492p-3f));
    q = V::fma(q, r, V::splat(0x1.fffffcp-2f));
    const Floats y = V::add(V::splat(1.0f), V::add(high, V::fma(V::mul(r, r), q, low)));
    return {y, V::sub_ints(V::bits(shifted), V::bits(shifter))};
}

template <class V>
typename V::Floats power_of_2(typename V::Ints biased) {
    return V::from_bits(V::template shift_left<23>(biased));
}

// Below -104 the result rounds to 0, above 88.73 to infinity.
template <class V>
typename V::Floats exp(typename V::Floats x) {
    // The constants come first, so that a NaN passes.
    const Scaled<V> e = exp_scaled<V>(V::max(V::splat(-105.0f), V::min(V::splat(89.0f), x)));
    // 2^n in two factors, because n reaches from -151 to 128. The first product is exact.
    const auto half = V::template shift_right<1>(e.n), bias = V::splat_int(127);
    const auto first = power_of_2<V>(V::add_ints(half, bias)), second = power_of_2<V>(V::add_ints(V::sub_ints(e.n, half), bias));
    return V::mul(V::mul(e.y, first), second);
}

// exp of an x that is not above 0, but 0 where it would be below 2^-126 or so: 19 instructions instead of 24.
template <class V>
typename V::Floats exp_down(typename V::Floats x) {
    const Scaled<V> e = exp_scaled<V>(V::max(V::splat(-105.0f), x));
    return V::mul(e.y, power_of_2<V>(V::max_ints(V::splat_int(0), V::add_ints(e.n, V::splat_int(127)))));
}

// x / (1 + exp(-x)): 0 below -88.73, where the result is under 3e-37; NaN for -infinity, as the formula says.
template <class V>
typename V::Floats silu(typename V::Floats x) {
    return V::div(x, V::add(V::splat(1.0f), exp<V>(V::sub(V::zero(), x))));
}

}  // namespace
}  // namespace kylin
