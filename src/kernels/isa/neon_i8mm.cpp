// The kernels for AArch64 with products of 8-bit matrices (Neoverse V1 and N2, Apple M2 and later): one instruction multiplies two outputs
// with two rows, eight inputs each, twice as many products as the dot product. Nothing but matmul differs from neon.cpp.
#include "kernels/dispatch.h"
#include "kernels/isa/neon_lanes.h"
#include "kernels/recipes/table.h"

namespace kylin {
namespace {

struct NeonI8mm : Neon {
    // Of outputs 2i and 2i + 1, four inputs of the first group and four of the second.
    struct TwoGroups {
        int8x16_t v[4];
    };
    static TwoGroups two_groups(Bytes first, Bytes second) {
        const auto zip_low = [](uint8x16_t a, uint8x16_t b) {
            return vreinterpretq_s8_s32(vzip1q_s32(vreinterpretq_s32_u8(a), vreinterpretq_s32_u8(b)));
        };
        const auto zip_high = [](uint8x16_t a, uint8x16_t b) {
            return vreinterpretq_s8_s32(vzip2q_s32(vreinterpretq_s32_u8(a), vreinterpretq_s32_u8(b)));
        };
        return {{zip_low(first.low, second.low), zip_high(first.low, second.low), zip_low(first.high, second.high),
                 zip_high(first.high, second.high)}};
    }
    // The inputs of two rows that meet them.
    static int8x16_t two_rows(const int8_t* a, const int8_t* b, int first, int second) {
        int32_t inputs[4];
        __builtin_memcpy(&inputs[0], a + first, 4);
        __builtin_memcpy(&inputs[1], a + second, 4);
        __builtin_memcpy(&inputs[2], b + first, 4);
        __builtin_memcpy(&inputs[3], b + second, 4);
        return vreinterpretq_s8_s32(vld1q_s32(inputs));
    }
    // The sums of outputs 0 to 3 with both rows are left in a, those of outputs 4 to 7 in b.
    static void dot_two_rows(Sums& a, Sums& b, const TwoGroups& weights, int8x16_t inputs) {
        a.low = vmmlaq_s32(a.low, weights.v[0], inputs);
        a.high = vmmlaq_s32(a.high, weights.v[1], inputs);
        b.low = vmmlaq_s32(b.low, weights.v[2], inputs);
        b.high = vmmlaq_s32(b.high, weights.v[3], inputs);
    }
    static void untangle(Sums& a, Sums& b) {
        const Sums first = {vuzp1q_s32(a.low, a.high), vuzp1q_s32(b.low, b.high)};
        b = {vuzp2q_s32(a.low, a.high), vuzp2q_s32(b.low, b.high)};
        a = first;
    }
};

}  // namespace

constinit const Kernels neon_i8mm_kernels = table_of<NeonI8mm, Neon>("neon_i8mm");

}  // namespace kylin
