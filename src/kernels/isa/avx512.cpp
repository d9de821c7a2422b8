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
    static constexpr int float_panels = 2;

    static Sums keep(Sums v) {
        asm("" : "+v"(v));
        return v;
    }

    static Sums zero_sums() { return _mm256_setzero_si256(); }
    static Sums dot_u8(Sums sums, Bytes w, Bytes x) { return keep(_mm256_dpbusd_epi32(sums, w, x)); }

    using Scales = __m256i;  // 8 int32
    static Scales scales(const uint8_t* p) { return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))); }
    static Scales even_scales(Pairs v) { return _mm256_srai_epi32(_mm256_slli_epi32(v, 16), 16); }
    static Scales odd_scales(Pairs v) { return _mm256_srai_epi32(v, 16); }
    static Ints add_scaled(Ints total, Sums sums, Scales scale) { return keep(_mm256_add_epi32(total, _mm256_mullo_epi32(sums, scale))); }
    static Ints add_sums(Ints total, Sums sums) { return _mm256_add_epi32(total, sums); }
    static Ints dot_pairs(Ints total, Pairs a, Pairs b) { return _mm256_dpwssd_epi32(total, a, b); }

    struct SignedBytes {
        Bytes magnitude, value;
    };
    static SignedBytes split_sign(Bytes v) { return {_mm256_abs_epi8(v), v}; }
    static Sums dot_s8(Sums sums, SignedBytes w, Bytes x) {
        return keep(_mm256_dpbusd_epi32(sums, w.magnitude, _mm256_sign_epi8(x, w.value)));
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
