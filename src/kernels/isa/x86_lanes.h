// What the matmul and quantize recipes need of x86 beyond X86Floats: bytes, and sums of their products. For the files of isa/ only:
// everything here is in an unnamed namespace, so that no code compiled for one instruction set can be linked into another.
#pragma once
#include "kernels/recipes/vector.h"

namespace kylin {
namespace {

// clang 14 would multiply the number of a block by its size for every address of every step. Two cores of a Xeon, GMAC/s: 4 rows of Q4_K
// with AVX2 161 and 182, with AVX-VNNI 186 and 227; one core, AVX-512: 8 rows of Q6_K 164 and 172, 16 of Q5_K 168 and 179. g++ 12 does
// not, and 256 rows of Q6_K lose 6 % by this.
struct HoldsBlocks {
#ifdef __clang__
    template <class T>
    static void hold_block(const T*& block) {
        asm("" : "+r"(block));
    }
#endif
};

struct X86Lanes : X86Floats, HoldsBlocks {
    using Bytes = __m256i;  // 32 bytes
    using Pairs = __m256i;  // 8 pairs of int16

    static Floats load_bf16(const uint16_t* p) {
        return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))), 16));
    }
    static Ints zero_ints() { return _mm256_setzero_si256(); }

    static Bytes load_bytes(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
    static void store_bytes(void* p, Bytes v) { _mm256_storeu_si256(static_cast<__m256i*>(p), v); }
    static Bytes splat_byte(int v) { return _mm256_set1_epi8(static_cast<char>(v)); }
    static Bytes splat4(const void* p) {
        int v;
        __builtin_memcpy(&v, p, sizeof v);
        return _mm256_set1_epi32(v);
    }
    static Bytes splat16(const void* p) { return _mm256_broadcastsi128_si256(_mm_loadu_si128(static_cast<const __m128i*>(p))); }
    // Of a table of 16 bytes, by indices below 16.
    static Bytes look_up(Bytes table, Bytes indices) { return _mm256_shuffle_epi8(table, indices); }
    static Bytes or_bytes(Bytes a, Bytes b) { return _mm256_or_si256(a, b); }
    static Bytes and_bytes(Bytes v, int mask) { return _mm256_and_si256(v, splat_byte(mask)); }
    // The upper two bytes of floats: in each 16 of `upper` and `lower` there are two of four lanes for f[0] and f[1], then for f[2] and
    // f[3].
    static void floats_of_bytes(Bytes upper, Bytes lower, Floats (&f)[4]) {
        const __m256i halves[2] = {_mm256_unpacklo_epi8(lower, upper), _mm256_unpackhi_epi8(lower, upper)};
        for (int i = 0; i < 2; ++i) {
            f[2 * i] = _mm256_castsi256_ps(_mm256_slli_epi32(halves[i], 16));
            f[2 * i + 1] = _mm256_castsi256_ps(_mm256_and_si256(halves[i], _mm256_set1_epi32(static_cast<int>(0xffff0000))));
        }
    }
    static Bytes low_nibbles(Bytes v) { return _mm256_and_si256(v, _mm256_set1_epi8(15)); }
    static Bytes high_nibbles(Bytes v) { return low_nibbles(_mm256_srli_epi16(v, 4)); }
    // Bit `bit` of every byte as the value 16; bits 2i and 2i + 1 as 16 and 32.
    static Bytes bit_as_16(Bytes v, int bit) { return _mm256_and_si256(shift_bytes(v, 4 - bit), _mm256_set1_epi8(16)); }
    static Bytes two_bits_as_16(Bytes v, int i) { return _mm256_and_si256(shift_bytes(v, 4 - 2 * i), _mm256_set1_epi8(48)); }
#ifdef __GFNI__
    static Bytes move_bits(Bytes v, uint64_t matrix) {
        return _mm256_gf2p8affine_epi64_epi8(v, _mm256_set1_epi64x(static_cast<int64_t>(matrix)), 0);
    }
#endif

    static Pairs pairs_u8(const void* p) { return _mm256_cvtepu8_epi16(_mm_loadu_si128(static_cast<const __m128i*>(p))); }
    static Pairs pairs_s8(const void* p) { return _mm256_cvtepi8_epi16(_mm_loadu_si128(static_cast<const __m128i*>(p))); }
    static Pairs splat_pair(const int16_t* p) { return splat4(p); }

    static Ints magnitude_bits(Floats v) { return _mm256_and_si256(_mm256_castps_si256(v), _mm256_set1_epi32(INT32_MAX)); }
    static Ints max_unsigned(Ints a, Ints b) { return _mm256_max_epu32(a, b); }
    static int32_t largest(Ints v) {
        __m128i m = _mm_max_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
        m = _mm_max_epi32(m, _mm_shuffle_epi32(m, 0x4e));
        return _mm_cvtsi128_si32(_mm_max_epi32(m, _mm_shuffle_epi32(m, 0xb1)));
    }
    static uint32_t largest_unsigned(Ints v) {
        __m128i m = _mm_max_epu32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
        m = _mm_max_epu32(m, _mm_shuffle_epi32(m, 0x4e));
        return static_cast<uint32_t>(_mm_cvtsi128_si32(_mm_max_epu32(m, _mm_shuffle_epi32(m, 0xb1))));
    }
    static float round_to_f16(float v) { return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtps_ph(_mm_set_ss(v), _MM_FROUND_TO_NEAREST_INT))); }
    static Ints round_half_even(Floats v) { return _mm256_cvtps_epi32(v); }
    // Not by adding 0.5, which rounds 0.49999997 up: of the float below 0.5 the sum is rounded to 1 only from 0.5 on.
    static Ints round_half_away(Floats v) {
        const Floats below_half = _mm256_set1_ps(0x1.fffffep-2f), sign = _mm256_and_ps(v, _mm256_set1_ps(-0.0f));
        return _mm256_cvttps_epi32(_mm256_add_ps(v, _mm256_or_ps(sign, below_half)));
    }
    // 32 values of -127 .. 127 as bytes, in order.
    static void store_s8(int8_t* p, Ints a, Ints b, Ints c, Ints d) {
        const Bytes mixed = _mm256_packs_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));
        const Bytes ordered = _mm256_permutevar8x32_epi32(mixed, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), ordered);
    }
    static int32_t sum_of_32(const int8_t* q) {
        const Ints eights = biased_sums_of_8(q);
        const __m128i two = _mm_add_epi32(_mm256_castsi256_si128(eights), _mm256_extracti128_si256(eights, 1));
        return _mm_cvtsi128_si32(two) + _mm_extract_epi32(two, 2) - 32 * 128;
    }
    // Of 128 bytes, 16 sums.
    static void sums_of_8(const int8_t* q, int16_t* sums) {
        // Word i of quarter k becomes sum k of the i-th 32 bytes; then those of the same bytes are put together.
        const Ints quarters = _mm256_or_si256(
            _mm256_or_si256(biased_sums_of_8(q), _mm256_slli_epi64(biased_sums_of_8(q + 32), 16)),
            _mm256_or_si256(_mm256_slli_epi64(biased_sums_of_8(q + 64), 32), _mm256_slli_epi64(biased_sums_of_8(q + 96), 48)));
        const Bytes pairs = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15));
        const Ints ordered = _mm256_permutevar8x32_epi32(look_up(quarters, pairs), _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums), _mm256_sub_epi16(ordered, _mm256_set1_epi16(8 * 128)));
    }
    // Of 16, 8.
    static void add_neighbours(const int16_t* sums, int16_t* pairs) {
        const auto* halves = reinterpret_cast<const __m128i*>(sums);
        const __m128i ones = _mm_set1_epi16(1);
        const __m128i low = _mm_madd_epi16(_mm_loadu_si128(halves), ones), high = _mm_madd_epi16(_mm_loadu_si128(halves + 1), ones);
        _mm_storeu_si128(reinterpret_cast<__m128i*>(pairs), _mm_packs_epi32(low, high));
    }

private:
    // Of 32 bytes q + 128, four sums.
    static Ints biased_sums_of_8(const int8_t* q) {
        return _mm256_sad_epu8(_mm256_xor_si256(load_bytes(q), splat_byte(-128)), zero_ints());
    }
    static Bytes shift_bytes(Bytes v, int n) { return n >= 0 ? _mm256_slli_epi16(v, n) : _mm256_srli_epi16(v, -n); }
};

// V where one instruction (vgf2p8affineqb) takes the place of a shift and a mask. On a Xeon (Emerald Rapids), one core, GMAC/s of 1 and 4
// rows without and with it: AVX-512 Q4_K 74 and 80, 188 and 197, Q5_K 45 and 50, 126 and 146; AVX-VNNI Q5_K 38 and 40, 85 and 87.
template <class V>
struct MovesBits : V {
    using Bytes = typename V::Bytes;
    static Bytes high_nibbles(Bytes v) { return V::move_bits(v, matrix(4, 0, 4)); }
    static Bytes bit_as_16(Bytes v, int bit) { return V::move_bits(v, matrix(bit, 4, 1)); }
    static Bytes two_bits_as_16(Bytes v, int i) { return V::move_bits(v, matrix(2 * i, 4, 2)); }

private:
    // Moves n bits of a byte and clears the others: row 7 - i of the matrix selects bit i of the result.
    static constexpr uint64_t matrix(int from, int to, int n) {
        uint64_t rows = 0;
        for (int i = 0; i < n; ++i) rows |= uint64_t{1} << (8 * (7 - to - i) + from + i);
        return rows;
    }
};

}  // namespace
}  // namespace kylin
