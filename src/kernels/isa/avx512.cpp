// The kernels for AVX-512 with VNNI, in 256-bit vectors: exact int32 dot products of bytes, and 32 registers.
#include "kernels/dispatch.h"
#include "kernels/isa/x86_lanes.h"
#include "kernels/recipes/attention.h"
#include "kernels/recipes/matmul.h"
#include "kernels/recipes/quantize.h"
#include "kernels/recipes/rows.h"

namespace kylin {
namespace {

struct Avx512 : X86Lanes {
    using Sums = __m256i;  // 8 int32
    static constexpr int products = 4;
    static constexpr int sum_max = INT32_MAX;
    static constexpr int signed_input_max = 255;
    static constexpr size_t byte_panels = 1, byte_rows = 8, signed_panels = 2, signed_rows = 8;

    static Sums zero_sums() { return _mm256_setzero_si256(); }
    // In assembly because g++ 12 does not fold the broadcast into the product, which then costs two instructions; two panels share one.
    template <size_t P, size_t C>
    static void dot_u8(Sums (&sums)[P][C], size_t c, const Bytes (&w)[P], const int8_t* x) {
        if constexpr (P == 1) {
            asm("vpdpbusd %2%{1to8%}, %1, %0" : "+v"(sums[0][c]) : "v"(w[0]), "m"(*reinterpret_cast<const int8_t(*)[4]>(x)));
        } else {
            const Bytes inputs = splat4(x);
            for (size_t p = 0; p < P; ++p) {
                sums[p][c] = _mm256_dpbusd_epi32(sums[p][c], w[p], inputs);
                asm("" : "+v"(sums[p][c]));
            }
        }
    }

    using Scales = __m256i;  // 8 int32
    static Scales scales(const uint8_t* p) { return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))); }
    // The first or the second of every pair.
    static Scales alternate_scales(const void* pairs, int which) {
        const Pairs v = pairs_s8(pairs);
        return _mm256_srai_epi32(which ? v : _mm256_slli_epi32(v, 16), 16);
    }
    static Ints add_scaled(Ints total, Sums sums, Scales scale) { return _mm256_add_epi32(total, _mm256_mullo_epi32(sums, scale)); }
    static Ints add_sums(Ints total, Sums sums) { return _mm256_add_epi32(total, sums); }
    static Ints dot_pairs(Ints total, Pairs a, Pairs b) { return _mm256_dpwssd_epi32(total, a, b); }

    // A signed product is (x + 128) * w - 128 * w; the second part is the same for all rows.
    using SignedBytes = Bytes;
    static SignedBytes signed_weights(Bytes v) { return v; }
    static Ints add_bias(Ints bias, SignedBytes w) { return _mm256_dpbusd_epi32(bias, splat_byte(-128), w); }
    template <size_t P, size_t C>
    static void dot_s8(Sums (&sums)[P][C], size_t c, const SignedBytes (&w)[P], const int8_t* x) {
        const Bytes inputs = _mm256_xor_si256(splat4(x), splat_byte(-128));
        for (size_t p = 0; p < P; ++p) {
            sums[p][c] = _mm256_dpbusd_epi32(sums[p][c], inputs, w[p]);
            asm("" : "+v"(sums[p][c]));
        }
    }
};

}  // namespace

const Kernels avx512_kernels = {
    .name = "avx512",
    .quantize_q8_0 = quantize_q8_0<Avx512>,
    .quantize_q8_k = quantize_q8_k<Avx512>,
    .matmul = matmul<Avx512>,
    .rms_norm = rms_norm<Avx512>,
    .rope = rope<Avx512>,
    .silu_mul = silu_mul<Avx512>,
    .add = add<Avx512>,
    .store_kv = store_kv<Avx512>,
    .attend = attend<Avx512>,
};

}  // namespace kylin
