// Avx512 for Intel's processors, whose 512-bit instructions share two pipes. For the files of isa/ only, as avx512_lanes.h.
#pragma once
#include "kernels/isa/avx512_lanes.h"
#include "kernels/recipes/tile.h"

namespace kylin {
namespace {

// A product of int32 takes one of the two pipes twice; an AMD processor has four, of which two multiply. Figures are of a Xeon (Emerald
// Rapids), two cores, GMAC/s.
struct Avx512Intel : Avx512 {
    // Nothing is free beside the products, so more rows than two tiles have share what was unpacked once: 256 rows of Q4_K 356 and 416, of
    // Q6_K 255 and 320, of Q4_0 328 and 380. Two tiles would lose some: 16 rows of Q6_K 356 and 330.
    static constexpr int rows_to_unpack(Unpacking) { return 17; }
    // Loads of inputs and products together are too many for one cycle: with tiles of two panels 256 rows of Q6_K 318 and 412, of Q8_0 394
    // and 413, of Q4_0 395 and 415; 32 rows of Q8_0 361 and 345.
    static constexpr size_t pair_rows = 6;
    static constexpr int rows_to_pair_panels(InputLoads loads) { return loads == InputLoads::most ? 17 : 48; }
    static void store_bytes(void* p, Bytes v) { _mm512_storeu_si512(p, v); }

    // Weights from memory: 33 rows of BF16 in 12 bits 106 and 118, 256 rows 110 and 128, but 24 rows 113 and 108.
    static constexpr int rows_to_share_floats = 33;

    // The processor alone reads less than memory can give: one row of Q4_K from memory 36 and 45, of Q6_K 20 and 32.
    static constexpr size_t bytes_ahead(size_t) { return 9472; }
    // Products that wait for the second level probably fill the scheduler. 4 rows of Q4_K 184 and 205, of Q6_K 121 and 137, 8 rows 308 and
    // 336, 209 and 232, one row 50 and 53, 32 and 36.
    static constexpr size_t bytes_near = 2304;

    // Of sums that fit in int16, the lower halves of lanes: one instruction of the pipes instead of three. 256 rows of Q4_K 416 and 480. In
    // assembly because clang 14 would collect them behind all products of a step, for which it has too few registers: 256 rows of Q6_K 339
    // and 405.
    static Ints add_scaled_short(Ints total, Sums sums, Scales scale) {
        asm("vpdpwssd %2, %1, %0" : "+v"(total) : "v"(sums), "v"(scale));
        return total;
    }
    static Scales alternate_short_scales(const void* pairs, int which) {
        const Pairs v = pairs_s8(pairs);
        return which ? _mm512_srli_epi32(v, 16) : _mm512_and_si512(v, splat_int(0xffff));
    }

    // What multiplies inputs where it reads them, at a base and an index, counts twice: so clang 14 would find all rows, by one index. g++
    // 12 would move on an address for each input of a step. 256 rows of Q4_K with clang 438 and 482, 8 rows of Q6_K with g++ 214 and 291.
    template <class T>
    static void hold_address(const T*& row) {
        asm("" : "+r"(row));
    }
};

}  // namespace
}  // namespace kylin
