// The kernels for AVX2 with AVX-VNNI and GFNI (Alder Lake and later, Zen 5): exact int32 dot products of bytes. Figures are of a Xeon
// (Emerald Rapids), two cores, GMAC/s, those of AVX2 first: 256 rows of Q8_0 104 and 234, of Q6_K 117 and 210, of Q4_K 206 and 224.
#include "kernels/dispatch.h"
#include "kernels/isa/x86_lanes.h"
#include "kernels/recipes/table.h"

namespace kylin {
namespace {

struct AvxVnni : X86Lanes {
    using Sums = Ints;
    static constexpr int products = 4;
    static constexpr int sum_max = INT32_MAX;
    static constexpr int unsigned_max = 255;
    // More rows than 3 do not fit the registers, but 4 are as fast: 8 rows of Q4_K 218 and 227.
    static constexpr size_t byte_vectors = 2, byte_rows = 4, float_vectors = 2, float_rows = 4;
    // 256 rows of Q5_K 170 and 224, 16 rows of Q5_0 171 and 203; 12 rows of Q8_0 would lose some.
    static constexpr int rows_to_unpack(Unpacking u) { return u == Unpacking::assemble ? 8 : 24; }
    static constexpr int rows_to_share_floats = 33;
    // As Avx512Intel.
    static constexpr size_t bytes_ahead(size_t) { return 9472; }
    static constexpr size_t bytes_near = 2304;
    static constexpr int locality = 2;

    static Bytes flip_sign_bits(Bytes v) { return _mm256_xor_si256(v, splat_byte(-128)); }

    static Sums zero_sums() { return zero_ints(); }
    // Column c of the sums of P vectors, with 4 inputs. clang 14 loads inputs and collects products until the registers are full, unless
    // they are in assembly: 4 rows of Q6_K 148 and 162. g++ 12 loses up to 7 % by it.
    template <size_t P, size_t C>
    static void dot_u8(Sums (&sums)[P][C], size_t c, const Bytes (&w)[P], const int8_t* x) {
#ifdef __clang__
        static_assert(P == 2);
        Bytes inputs;
        asm("vpbroadcastd %5, %2\n\t%{vex%} vpdpbusd %2, %3, %0\n\t%{vex%} vpdpbusd %2, %4, %1"
            : "+x"(sums[0][c]), "+x"(sums[1][c]), "=&x"(inputs)
            : "x"(w[0]), "x"(w[1]), "m"(*reinterpret_cast<const int8_t(*)[4]>(x)));
#else
        const Bytes inputs = splat4(x);
        for (size_t p = 0; p < P; ++p) sums[p][c] = _mm256_dpbusd_avx_epi32(sums[p][c], w[p], inputs);
#endif
    }
    static Ints dot_pairs(Ints total, Pairs a, Pairs b) { return _mm256_dpwssd_avx_epi32(total, a, b); }

    using Scales = Ints;
    static Scales scales(const uint8_t* p) { return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))); }
    // The first or the second of every pair.
    static Scales alternate_scales(const void* pairs, int which) {
        const Pairs v = pairs_s8(pairs);
        return _mm256_srai_epi32(which ? v : _mm256_slli_epi32(v, 16), 16);
    }
    static Ints add_scaled(Ints total, Sums sums, Scales scale) { return _mm256_add_epi32(total, _mm256_mullo_epi32(sums, scale)); }
    // Of sums that fit in int16, the lower halves of lanes.
    static Ints add_scaled_short(Ints total, Sums sums, Scales scale) {
        asm("%{vex%} vpdpwssd %2, %1, %0" : "+x"(total) : "x"(sums), "x"(scale));
        return total;
    }
    static Scales alternate_short_scales(const void* pairs, int which) {
        const Pairs v = pairs_s8(pairs);
        return which ? _mm256_srli_epi32(v, 16) : _mm256_and_si256(v, splat_int(0xffff));
    }
    static Ints add_sums(Ints total, Sums sums) { return _mm256_add_epi32(total, sums); }
};

}  // namespace

constinit const Kernels avx_vnni_kernels = table_of<MovesBits<AvxVnni>, X86Lanes>("avx_vnni");

}  // namespace kylin
