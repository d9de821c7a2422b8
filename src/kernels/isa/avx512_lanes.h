// What the recipes of matmul and attention need of AVX-512 with VNNI. For the files of isa/ only: everything here is in an unnamed
// namespace, so that no code compiled for one instruction set can be linked into another.
#pragma once
#include "kernels/isa/x86_lanes.h"

namespace kylin {
namespace {

// Vectors of 16 lanes: what the recipes of matmul and attention need. One holds the 16 outputs of a panel.
struct Avx512 : HoldsBlocks {
    static constexpr int lanes = 16;
    static constexpr int registers = 32;
    static constexpr size_t byte_vectors = 1, byte_rows = 8, float_vectors = 1, float_rows = 8;
    // A few rows take as long to multiply as to read, and the processor alone does little of both at once. Fetching into the second-level
    // cache leaves the first to the inputs. Two cores, weights from memory, GMAC/s without fetching, fetching 4736 bytes ahead into the
    // first level, and so into the second: Zen 4, 4 rows of Q4_K 171, 193 and 202, 8 rows of Q6_K 150, 181 and 224. Fewer rows lose by it
    // there.
    static constexpr size_t bytes_ahead(size_t rows) { return rows >= 4 ? 9472 : 0; }
    static constexpr int locality = 2;
    using Floats = __m512;
    using Ints = __m512i;
    using Bytes = __m512i;  // 64 bytes
    using Pairs = __m512i;  // 16 pairs of int16
    using Mask = __mmask16;

    static Floats zero() { return _mm512_setzero_ps(); }
    static Floats splat(float x) { return _mm512_set1_ps(x); }
    static Floats load_f32(const float* p) { return _mm512_loadu_ps(p); }
    static Floats load_f32(const float* p, int n) { return _mm512_maskz_loadu_ps(first(n), p); }
    static Floats load_f16(const uint16_t* p) { return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))); }
    static Floats load_f16(const uint16_t* p, int n) { return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(first(n), p)); }
    static Floats load_s8(const int8_t* p) {
        return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
    }
    static Floats load_bf16(const uint16_t* p) {
        return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))), 16));
    }
    static void store(float* p, Floats a) { _mm512_storeu_ps(p, a); }
    static void store(float* p, Floats a, int n) { _mm512_mask_storeu_ps(p, first(n), a); }
    static Mask first(int n) { return n >= lanes ? Mask{0xffff} : n <= 0 ? Mask{0} : static_cast<Mask>((1u << n) - 1); }
    static Floats select(Mask m, Floats a, Floats b) { return _mm512_mask_blend_ps(m, b, a); }
    static Floats add(Floats a, Floats b) { return _mm512_add_ps(a, b); }
    static Floats sub(Floats a, Floats b) { return _mm512_sub_ps(a, b); }
    static Floats div(Floats a, Floats b) { return _mm512_div_ps(a, b); }
    static Floats max(Floats a, Floats b) { return _mm512_max_ps(a, b); }
    static Floats min(Floats a, Floats b) { return _mm512_min_ps(a, b); }
    static Floats mul(Floats a, Floats b) { return _mm512_mul_ps(a, b); }
    static Floats fma(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a, b, c); }
    static Floats fnma(Floats a, Floats b, Floats c) { return _mm512_fnmadd_ps(a, b, c); }
    static Floats to_float(Ints a) { return _mm512_cvtepi32_ps(a); }

    static Ints zero_ints() { return _mm512_setzero_si512(); }
    // As X86Floats: clang 14 makes two more instructions of it for a row and block of Q8_0.
    static Ints splat_int(int32_t x) {
        Ints v = _mm512_set1_epi32(x);
        asm("" : "+v"(v));
        return v;
    }
    static Ints bits(Floats a) { return _mm512_castps_si512(a); }
    static Floats from_bits(Ints a) { return _mm512_castsi512_ps(a); }
    static Ints add_ints(Ints a, Ints b) { return _mm512_add_epi32(a, b); }
    static Ints sub_ints(Ints a, Ints b) { return _mm512_sub_epi32(a, b); }
    static Ints max_ints(Ints a, Ints b) { return _mm512_max_epi32(a, b); }
    template <int n>
    static Ints shift_left(Ints a) {
        return _mm512_slli_epi32(a, n);
    }
    template <int n>
    static Ints shift_right(Ints a) {
        return _mm512_srai_epi32(a, n);
    }

    static Bytes load_bytes(const void* p) { return _mm512_loadu_si512(p); }
    static Bytes splat_byte(int v) { return _mm512_set1_epi8(static_cast<char>(v)); }
    static Bytes splat16(const void* p) { return _mm512_broadcast_i32x4(_mm_loadu_si128(static_cast<const __m128i*>(p))); }
    // Of a table of 16 bytes, by indices below 16.
    static Bytes look_up(Bytes table, Bytes indices) { return _mm512_shuffle_epi8(table, indices); }
    static Bytes or_bytes(Bytes a, Bytes b) { return _mm512_or_si512(a, b); }
    static Bytes and_bytes(Bytes v, int mask) { return _mm512_and_si512(v, splat_byte(mask)); }
    // As X86Lanes.
    static void floats_of_bytes(Bytes upper, Bytes lower, Floats (&f)[4]) {
        const __m512i halves[2] = {_mm512_unpacklo_epi8(lower, upper), _mm512_unpackhi_epi8(lower, upper)};
        for (int i = 0; i < 2; ++i) {
            f[2 * i] = _mm512_castsi512_ps(_mm512_slli_epi32(halves[i], 16));
            f[2 * i + 1] = _mm512_castsi512_ps(_mm512_and_si512(halves[i], splat_int(static_cast<int>(0xffff0000))));
        }
    }
    static Bytes flip_sign_bits(Bytes v) { return _mm512_xor_si512(v, splat_byte(-128)); }
    static Bytes low_nibbles(Bytes v) { return _mm512_and_si512(v, splat_byte(15)); }
    static Bytes high_nibbles(Bytes v) { return low_nibbles(_mm512_srli_epi16(v, 4)); }
    // Bit `bit` of every byte as the value 16; bits 2i and 2i + 1 as 16 and 32.
    static Bytes bit_as_16(Bytes v, int bit) { return _mm512_and_si512(shift_bytes(v, 4 - bit), splat_byte(16)); }
    static Bytes two_bits_as_16(Bytes v, int i) { return _mm512_and_si512(shift_bytes(v, 4 - 2 * i), splat_byte(48)); }
#ifdef __GFNI__
    static Bytes move_bits(Bytes v, uint64_t matrix) {
        return _mm512_gf2p8affine_epi64_epi8(v, _mm512_set1_epi64(static_cast<int64_t>(matrix)), 0);
    }
#endif

    static Pairs pairs_u8(const void* p) { return _mm512_cvtepu8_epi16(_mm256_loadu_si256(static_cast<const __m256i*>(p))); }
    static Pairs pairs_s8(const void* p) { return _mm512_cvtepi8_epi16(_mm256_loadu_si256(static_cast<const __m256i*>(p))); }
    static Pairs splat_pair(const int16_t* p) { return splat4(p); }
    static Ints dot_pairs(Ints total, Pairs a, Pairs b) { return _mm512_dpwssd_epi32(total, a, b); }

    using Sums = Ints;
    static constexpr int products = 4;
    static constexpr int sum_max = INT32_MAX;
    static constexpr int unsigned_max = 255;

    static Sums zero_sums() { return zero_ints(); }
    // In assembly because g++ 12 does not fold the broadcast of one product into it, which then costs two instructions, and clang 14 loads
    // the inputs of a tile of two panels so early that they do not fit the registers.
    template <size_t P, size_t C>
    static void dot_u8(Sums (&sums)[P][C], size_t c, const Bytes (&w)[P], const int8_t* x) {
        static_assert(P <= 2);
        const auto& inputs = *reinterpret_cast<const int8_t(*)[4]>(x);
        if constexpr (P == 1) {
            asm("vpdpbusd %2%{1to16%}, %1, %0" : "+v"(sums[0][c]) : "v"(w[0]), "m"(inputs));
        } else {
            Bytes v;
            asm("vpbroadcastd %5, %2\n\tvpdpbusd %2, %3, %0\n\tvpdpbusd %2, %4, %1"
                : "+v"(sums[0][c]), "+v"(sums[1][c]), "=&v"(v)
                : "v"(w[0]), "v"(w[1]), "m"(inputs));
        }
    }

    using Scales = Ints;
    static Scales scales(const uint8_t* p) { return _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))); }
    // The first or the second of every pair.
    static Scales alternate_scales(const void* pairs, int which) {
        const Pairs v = pairs_s8(pairs);
        return _mm512_srai_epi32(which ? v : _mm512_slli_epi32(v, 16), 16);
    }
    static Ints add_scaled(Ints total, Sums sums, Scales scale) { return _mm512_add_epi32(total, _mm512_mullo_epi32(sums, scale)); }
    static Ints add_sums(Ints total, Sums sums) { return _mm512_add_epi32(total, sums); }

    // As X86Floats.
    static float sum(Floats a) { return X86Floats::sum(_mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1))); }
    static float largest_of(Floats a) {
        return X86Floats::largest_of(_mm256_max_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1)));
    }

private:
    static Bytes splat4(const void* p) {
        int v;
        __builtin_memcpy(&v, p, sizeof v);
        return _mm512_set1_epi32(v);
    }
    static Bytes shift_bytes(Bytes v, int n) {
        return n >= 0 ? _mm512_slli_epi16(v, static_cast<unsigned>(n)) : _mm512_srli_epi16(v, static_cast<unsigned>(-n));
    }
};

}  // namespace
}  // namespace kylin
