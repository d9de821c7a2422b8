// Eight lanes of F32 with the same operations, and the same bits, on every instruction set: what the float recipes are written in.
// ScalarFloats always exists; X86Floats where the translation unit is compiled for AVX2, FMA and F16C. A recipe takes one of them, or
// a struct derived from it, as V. Everything here is in an unnamed namespace: no code can be linked into another unit.
//
//   load_f32 load_f16 store store_f16    also with n: only the first n lanes are touched, the others read as 0
//   load_s8                              bytes as floats
//   min max                              of a pair with a NaN: the second
//   store_f16                            rounds to nearest, ties to even
//   select(m, a, b)                      a where m holds, else b
//   Squares                              8 sums of squares in double; a square of a float is exact there
#pragma once
#include <cstddef>
#include <cstdint>
#ifdef __AVX2__
#include <immintrin.h>
#endif

namespace kylin {
namespace {

constexpr size_t least(size_t a, size_t b) { return a < b ? a : b; }

inline float f16_to_f32(uint16_t half) {
    const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16, exponent = (half >> 10) & 31u, fraction = half & 1023u;
    if (exponent == 0) {
        const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
        return sign ? -magnitude : magnitude;
    }
    if (exponent < 31) return __builtin_bit_cast(float, sign | (exponent + 112) << 23 | fraction << 13);
    const uint32_t quiet = fraction ? 1u << 22 : 0;
    return __builtin_bit_cast(float, sign | 0x7f800000u | quiet | fraction << 13);
}

inline uint16_t f32_to_f16(float value) {
    const uint32_t bits = __builtin_bit_cast(uint32_t, value), magnitude = bits & 0x7fffffffu;
    const auto sign = static_cast<uint16_t>(bits >> 16 & 0x8000u);
    uint32_t half;
    if (magnitude > 0x7f800000u) {
        half = 0x7e00u | (magnitude >> 13 & 1023u);
    } else if (magnitude >= 0x477ff000u) {  // 65520 and above round to infinity
        half = 0x7c00u;
    } else if (magnitude >= 0x38800000u) {  // normal: a carry out of the fraction raises the exponent
        half = (magnitude - (112u << 23) + 0xfffu + (magnitude >> 13 & 1u)) >> 13;
    } else {  // subnormal: adding 0.5 leaves value / 2^-24, rounded, in the low bits
        half = __builtin_bit_cast(uint32_t, __builtin_bit_cast(float, magnitude) + 0.5f) - 0x3f000000u;
    }
    return static_cast<uint16_t>(sign | half);
}

struct ScalarFloats {
    static constexpr int lanes = 8;
    static constexpr int registers = 16;  // what tiles may count on
    template <class T>
    struct Lanes {
        T v[lanes];
    };
    using Floats = Lanes<float>;
    using Ints = Lanes<int32_t>;
    using Mask = Lanes<bool>;
    using Squares = Lanes<double>;

    static Floats zero() { return {}; }
    static Floats splat(float x) {
        return each<float>([&](int) { return x; });
    }
    static Floats load_f32(const float* p) { return load_f32(p, lanes); }
    static Floats load_f32(const float* p, int n) {
        return each<float>([&](int i) { return i < n ? p[i] : 0.0f; });
    }
    static Floats load_f16(const uint16_t* p) { return load_f16(p, lanes); }
    static Floats load_f16(const uint16_t* p, int n) {
        return each<float>([&](int i) { return i < n ? f16_to_f32(p[i]) : 0.0f; });
    }
    static Floats load_s8(const int8_t* p) {
        return each<float>([&](int i) { return static_cast<float>(p[i]); });
    }
    static void store(float* p, Floats a) { store(p, a, lanes); }
    static void store(float* p, Floats a, int n) {
        for (int i = 0; i < n; ++i) p[i] = a.v[i];
    }
    static void store_f16(uint16_t* p, Floats a) { store_f16(p, a, lanes); }
    static void store_f16(uint16_t* p, Floats a, int n) {
        for (int i = 0; i < n; ++i) p[i] = f32_to_f16(a.v[i]);
    }

    static Floats add(Floats a, Floats b) {
        return each<float>([&](int i) { return a.v[i] + b.v[i]; });
    }
    static Floats sub(Floats a, Floats b) {
        return each<float>([&](int i) { return a.v[i] - b.v[i]; });
    }
    static Floats mul(Floats a, Floats b) {
        return each<float>([&](int i) { return a.v[i] * b.v[i]; });
    }
    static Floats div(Floats a, Floats b) {
        return each<float>([&](int i) { return a.v[i] / b.v[i]; });
    }
    static Floats fma(Floats a, Floats b, Floats c) {  // a * b + c, one rounding
        return each<float>([&](int i) { return __builtin_fmaf(a.v[i], b.v[i], c.v[i]); });
    }
    static Floats fnma(Floats a, Floats b, Floats c) {  // c - a * b, one rounding
        return each<float>([&](int i) { return __builtin_fmaf(-a.v[i], b.v[i], c.v[i]); });
    }
    static Floats max(Floats a, Floats b) {
        return each<float>([&](int i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
    }
    static Floats min(Floats a, Floats b) {
        return each<float>([&](int i) { return a.v[i] < b.v[i] ? a.v[i] : b.v[i]; });
    }
    static Mask first(int n) {  // lanes 0 .. n - 1
        return each<bool>([&](int i) { return i < n; });
    }
    static Floats select(Mask m, Floats a, Floats b) {
        return each<float>([&](int i) { return m.v[i] ? a.v[i] : b.v[i]; });
    }

    static Floats to_float(Ints a) {
        return each<float>([&](int i) { return static_cast<float>(a.v[i]); });
    }
    static Ints bits(Floats a) {
        return each<int32_t>([&](int i) { return __builtin_bit_cast(int32_t, a.v[i]); });
    }
    static Floats from_bits(Ints a) {
        return each<float>([&](int i) { return __builtin_bit_cast(float, a.v[i]); });
    }
    static Ints splat_int(int32_t x) {
        return each<int32_t>([&](int) { return x; });
    }
    static Ints add_ints(Ints a, Ints b) {  // wraps
        return each<int32_t>([&](int i) { return static_cast<int32_t>(static_cast<uint32_t>(a.v[i]) + static_cast<uint32_t>(b.v[i])); });
    }
    static Ints sub_ints(Ints a, Ints b) {
        return each<int32_t>([&](int i) { return static_cast<int32_t>(static_cast<uint32_t>(a.v[i]) - static_cast<uint32_t>(b.v[i])); });
    }
    static Ints max_ints(Ints a, Ints b) {
        return each<int32_t>([&](int i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
    }
    template <int n>
    static Ints shift_left(Ints a) {
        return each<int32_t>([&](int i) { return static_cast<int32_t>(static_cast<uint32_t>(a.v[i]) << n); });
    }
    template <int n>
    static Ints shift_right(Ints a) {  // keeps the sign
        return each<int32_t>([&](int i) { return a.v[i] >> n; });
    }

    static Squares no_squares() { return {}; }
    static Squares add_squares(Squares sum, const float* p) { return add_squares(sum, load_f32(p)); }
    static Squares add_squares(Squares sum, Floats a) {
        return each<double>([&](int i) { return sum.v[i] + static_cast<double>(a.v[i]) * static_cast<double>(a.v[i]); });
    }
    static void store_squares(double* p, Squares sum) {
        for (int i = 0; i < lanes; ++i) p[i] = sum.v[i];
    }

private:
    template <class T, class Lane>
    static Lanes<T> each(Lane lane) {
        Lanes<T> y;
        for (int i = 0; i < lanes; ++i) y.v[i] = lane(i);
        return y;
    }
};

#ifdef __AVX2__
struct X86Floats {
    static constexpr int lanes = 8;
#ifdef __AVX512VL__
    static constexpr int registers = 32;
#else
    static constexpr int registers = 16;
#endif
    using Floats = __m256;
    using Ints = __m256i;
    using Mask = __m256;
    struct Squares {
        __m256d low, high;
    };

    static Floats zero() { return _mm256_setzero_ps(); }
    static Floats splat(float x) { return _mm256_set1_ps(x); }
    static Floats load_f32(const float* p) { return _mm256_loadu_ps(p); }
    static Floats load_f32(const float* p, int n) { return _mm256_maskload_ps(p, first_ints(n)); }
    static Floats load_f16(const uint16_t* p) { return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))); }
    static Floats load_f16(const uint16_t* p, int n) {
        uint16_t whole[lanes] = {};
        for (int i = 0; i < n; ++i) whole[i] = p[i];
        return load_f16(whole);
    }
    static Floats load_s8(const int8_t* p) {
        return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
    }
    static void store(float* p, Floats a) { _mm256_storeu_ps(p, a); }
    static void store(float* p, Floats a, int n) { _mm256_maskstore_ps(p, first_ints(n), a); }
    static void store_f16(uint16_t* p, Floats a) {
        _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
    }
    static void store_f16(uint16_t* p, Floats a, int n) {
        uint16_t whole[lanes];
        store_f16(whole, a);
        for (int i = 0; i < n; ++i) p[i] = whole[i];
    }

    static Floats add(Floats a, Floats b) { return _mm256_add_ps(a, b); }
    static Floats sub(Floats a, Floats b) { return _mm256_sub_ps(a, b); }
    static Floats mul(Floats a, Floats b) { return _mm256_mul_ps(a, b); }
    static Floats div(Floats a, Floats b) { return _mm256_div_ps(a, b); }
    static Floats fma(Floats a, Floats b, Floats c) { return _mm256_fmadd_ps(a, b, c); }
    static Floats fnma(Floats a, Floats b, Floats c) { return _mm256_fnmadd_ps(a, b, c); }
    static Floats max(Floats a, Floats b) { return _mm256_max_ps(a, b); }
    static Floats min(Floats a, Floats b) { return _mm256_min_ps(a, b); }
    static Mask first(int n) { return _mm256_castsi256_ps(first_ints(n)); }
    static Floats select(Mask m, Floats a, Floats b) { return _mm256_blendv_ps(b, a, m); }

    static Floats to_float(Ints a) { return _mm256_cvtepi32_ps(a); }
    static Ints bits(Floats a) { return _mm256_castps_si256(a); }
    static Floats from_bits(Ints a) { return _mm256_castsi256_ps(a); }
    // clang 14 else takes a number through its arithmetic before it is splat, which is slower (Q4_0 on a Zen 3 core: 85 instead of 96
    // GMAC/s).
    static Ints splat_int(int32_t x) {
        Ints v = _mm256_set1_epi32(x);
        asm("" : "+x"(v));
        return v;
    }
    static Ints add_ints(Ints a, Ints b) { return _mm256_add_epi32(a, b); }
    static Ints sub_ints(Ints a, Ints b) { return _mm256_sub_epi32(a, b); }
    static Ints max_ints(Ints a, Ints b) { return _mm256_max_epi32(a, b); }
    template <int n>
    static Ints shift_left(Ints a) {
        return _mm256_slli_epi32(a, n);
    }
    template <int n>
    static Ints shift_right(Ints a) {
        return _mm256_srai_epi32(a, n);
    }

    static Squares no_squares() { return {_mm256_setzero_pd(), _mm256_setzero_pd()}; }
    static Squares add_squares(Squares sum, Floats a) { return add_squares(sum, _mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1)); }
    // Two loads instead of one and the extraction of a half, of which there is one a cycle.
    static Squares add_squares(Squares sum, const float* p) { return add_squares(sum, _mm_loadu_ps(p), _mm_loadu_ps(p + 4)); }
    static void store_squares(double* p, Squares sum) {
        _mm256_storeu_pd(p, sum.low);
        _mm256_storeu_pd(p + 4, sum.high);
    }

    // The trees of sum_lanes and max_lanes, in registers.
    static float sum(Floats a) {
        const __m128 four = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
        const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
        return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
    }
    static float largest_of(Floats a) {
        const __m128 four = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
        const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
        return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
    }

private:
    // The products are exact: fused or not, the sums are the same.
    static Squares add_squares(Squares sum, __m128 a, __m128 b) {
        const __m256d low = _mm256_cvtps_pd(a), high = _mm256_cvtps_pd(b);
        return {_mm256_fmadd_pd(low, low, sum.low), _mm256_fmadd_pd(high, high, sum.high)};
    }
    static __m256i first_ints(int n) { return _mm256_cmpgt_epi32(splat_int(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)); }
};
#endif

// Covers a row: vector(i) for whole vectors, then vector(i, n) for the n elements left.
template <class V, class Vector>
[[gnu::always_inline]] inline void for_each_vector(int n, Vector vector) {
    int i = 0;
    for (; i + V::lanes <= n; i += V::lanes) vector(i);
    if (i < n) vector(i, n - i);
}

// The fixed trees: lanes are folded in halves, lane i with lane i + half. n values are read from `lane`, which is overwritten. The number
// is known to the compiler, which else makes loops of vectors, each with a beginning and an end, of a few values.
template <int n, class T, class Combine>
T fold(T* lane, Combine combine) {
    if constexpr (n == 1) {
        return lane[0];
    } else {
        for (int i = 0; i < n / 2; ++i) lane[i] = combine(lane[i], lane[i + n / 2]);
        return fold<n / 2>(lane, combine);
    }
}

template <int n, class T>
T fold_sum(T* lane) {
    return fold<n>(lane, [](T a, T b) { return a + b; });
}

template <class V>
float sum_lanes(typename V::Floats a) {
    if constexpr (requires { V::sum(a); }) return V::sum(a);
    float lane[V::lanes];
    V::store(lane, a);
    return fold_sum<V::lanes>(lane);
}

template <class V>
float max_lanes(typename V::Floats a) {
    if constexpr (requires { V::largest_of(a); }) return V::largest_of(a);
    float lane[V::lanes];
    V::store(lane, a);
    return fold<V::lanes>(lane, [](float x, float y) { return x > y ? x : y; });
}

}  // namespace
}  // namespace kylin
