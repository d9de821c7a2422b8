// The kernels for AVX2 with FMA and F16C (Haswell, Zen and later). Bytes are multiplied in pairs, with int16 sums.
#include "kernels/dispatch.h"
#include "kernels/isa/x86_lanes.h"
#include "kernels/recipes/table.h"

namespace kylin {
namespace {

struct Avx2 : X86Lanes {
    using Sums = __m256i;  // 16 int16, two of each output
    static constexpr int products = 2;
    static constexpr int sum_max = INT16_MAX;
    static constexpr int unsigned_max = 128;  // two products of 128 * 127 still fit in int16
    // Of products of bytes as many as there are registers for; 8 sums of floats hide the latency of fma on two pipes.
    static constexpr size_t byte_vectors = 2, byte_rows = 4, float_vectors = 2, float_rows = 4;
    static constexpr int rows_to_unpack(Unpacking u) { return u == Unpacking::assemble ? 8 : 32; }
    // Weights from memory, two cores of a Xeon, GMAC/s: 33 rows of F16 61 and 69, 256 rows 65 and 78, but 16 rows 65 and 55.
    static constexpr int rows_to_share_floats = 33;
    // A few rows take as long to multiply as to read, and the processor alone does little of both at once (Zen 3, two cores, one row from
    // memory: Q4_K 1.3, Q6_K 1.2 times as fast as without, 4 rows 1.2). Into the first-level cache: up to 4 rows lose a quarter by the
    // second (Zen 4).
    static constexpr size_t bytes_ahead(size_t) { return 2048; }
    static constexpr int locality = 3;

    // g++ 12 else computes all products of an unrolled tile first and spills every one: 1.5 times slower.
    static Sums keep(Sums v) {
        asm("" : "+x"(v));
        return v;
    }

    static Sums zero_sums() { return _mm256_setzero_si256(); }
    // Column c of the sums of P vectors, with 4 inputs.
    template <size_t P, size_t C>
    static void dot_u8(Sums (&sums)[P][C], size_t c, const Bytes (&w)[P], const int8_t* x) {
        const Bytes inputs = splat4(x);
        for (size_t p = 0; p < P; ++p) sums[p][c] = keep(_mm256_add_epi16(sums[p][c], _mm256_maddubs_epi16(w[p], inputs)));
    }

    using Scales = __m256i;  // 16 int16, two of each output
    static Scales scales(const uint8_t* p) {
        int64_t bytes;
        __builtin_memcpy(&bytes, p, sizeof bytes);
        const __m256i spread = _mm256_setr_epi8(0, -1, 0, -1, 1, -1, 1, -1, 2, -1, 2, -1, 3, -1, 3, -1,  //
                                                4, -1, 4, -1, 5, -1, 5, -1, 6, -1, 6, -1, 7, -1, 7, -1);
        return _mm256_shuffle_epi8(_mm256_set1_epi64x(bytes), spread);
    }
    // The first or the second of every pair.
    static Scales alternate_scales(const void* pairs, int which) {
        const __m256i first = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 0, 1, 4, 5, 4, 5, 8, 9, 8, 9, 12, 13, 12, 13));
        return _mm256_shuffle_epi8(pairs_s8(pairs), _mm256_add_epi8(first, splat_byte(2 * which)));
    }
    static Ints add_scaled(Ints total, Sums sums, Scales scale) { return keep(_mm256_add_epi32(total, _mm256_madd_epi16(sums, scale))); }
    static Ints add_sums(Ints total, Sums sums) { return keep(_mm256_add_epi32(total, _mm256_madd_epi16(sums, _mm256_set1_epi16(1)))); }
    static Ints dot_pairs(Ints total, Pairs a, Pairs b) { return _mm256_add_epi32(total, _mm256_madd_epi16(a, b)); }

    // A signed product is |w| * (x with the sign of w). Not by vpsignb: it needs the pipes of the products.
    struct SignedBytes {
        Bytes magnitude, negative;
    };
    static SignedBytes signed_weights(Bytes v) { return {_mm256_abs_epi8(v), _mm256_cmpgt_epi8(_mm256_setzero_si256(), v)}; }
    template <size_t P, size_t C>
    static void dot_s8(Sums (&sums)[P][C], size_t c, const SignedBytes (&w)[P], const int8_t* x) {
        const Bytes inputs = splat4(x);
        for (size_t p = 0; p < P; ++p) {
            const Bytes turned = _mm256_sub_epi8(_mm256_xor_si256(inputs, w[p].negative), w[p].negative);
            sums[p][c] = keep(_mm256_add_epi16(sums[p][c], _mm256_maddubs_epi16(w[p].magnitude, turned)));
        }
    }
    // The same without the last subtraction: of a negative weight |w| * (-x - 1), so |w| is missing in the sum. -128 is allowed, too: twice
    // 128 * -128 still fits in int16.
    template <size_t P, size_t C>
    static void dot_flipped(Sums (&sums)[P][C], size_t c, const SignedBytes (&w)[P], const int8_t* x) {
        const Bytes inputs = splat4(x);
        for (size_t p = 0; p < P; ++p) {
            const Bytes flipped = _mm256_xor_si256(inputs, w[p].negative);
            sums[p][c] = keep(_mm256_add_epi16(sums[p][c], _mm256_maddubs_epi16(w[p].magnitude, flipped)));
        }
    }
    static Sums add_negatives(Sums sums, Bytes v) {
        const SignedBytes w = signed_weights(v);
        return _mm256_add_epi16(sums, _mm256_maddubs_epi16(_mm256_and_si256(w.magnitude, w.negative), _mm256_set1_epi8(1)));
    }
    static Ints load_ints(const void* p) { return load_bytes(p); }
    static void store_ints(void* p, Ints v) { store_bytes(p, v); }
};

}  // namespace

constinit const Kernels avx2_kernels = table_of<Avx2, Avx2>("avx2");

}  // namespace kylin
