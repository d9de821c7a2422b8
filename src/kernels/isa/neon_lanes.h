// What the recipes need of NEON with the dot product: two 128-bit vectors stand for one of eight lanes. For the files of isa/ only:
// everything here is in an unnamed namespace, so that no code compiled for one instruction set can be linked into another.
#pragma once
#include <arm_neon.h>
#include <cstddef>
#include <cstdint>

namespace kylin {
namespace {

struct NeonFloats {
    static constexpr int lanes = 8;
    static constexpr int registers = 16;  // pairs of the 32 there are
    // Not arm_neon.h's float32x4x2_t, which g++ 12 keeps in neighbouring registers and copies to get there.
    struct Floats {
        float32x4_t low, high;
    };
    struct Ints {
        int32x4_t low, high;
    };
    struct Mask {
        uint32x4_t low, high;
    };
    struct Squares {
        float64x2_t v[4];
    };

    static Floats zero() { return splat(0); }
    static Floats splat(float x) { return {vdupq_n_f32(x), vdupq_n_f32(x)}; }
    static Floats load_f32(const float* p) { return {vld1q_f32(p), vld1q_f32(p + 4)}; }
    static Floats load_f32(const float* p, int n) {
        float whole[lanes] = {};
        for (int i = 0; i < n; ++i) whole[i] = p[i];
        return load_f32(whole);
    }
    static Floats load_f16(const uint16_t* p) {
        const float16x8_t halves = vreinterpretq_f16_u16(vld1q_u16(p));
        return {vcvt_f32_f16(vget_low_f16(halves)), vcvt_high_f32_f16(halves)};
    }
    static Floats load_f16(const uint16_t* p, int n) {
        uint16_t whole[lanes] = {};
        for (int i = 0; i < n; ++i) whole[i] = p[i];
        return load_f16(whole);
    }
    static Floats load_s8(const int8_t* p) {
        const int16x8_t v = vmovl_s8(vld1_s8(p));
        return {vcvtq_f32_s32(vmovl_s16(vget_low_s16(v))), vcvtq_f32_s32(vmovl_high_s16(v))};
    }
    static void store(float* p, Floats a) {
        vst1q_f32(p, a.low);
        vst1q_f32(p + 4, a.high);
    }
    static void store(float* p, Floats a, int n) {
        float whole[lanes];
        store(whole, a);
        for (int i = 0; i < n; ++i) p[i] = whole[i];
    }
    static void store_f16(uint16_t* p, Floats a) { vst1q_u16(p, vreinterpretq_u16_f16(vcvt_high_f16_f32(vcvt_f16_f32(a.low), a.high))); }
    static void store_f16(uint16_t* p, Floats a, int n) {
        uint16_t whole[lanes];
        store_f16(whole, a);
        for (int i = 0; i < n; ++i) p[i] = whole[i];
    }

    static Floats add(Floats a, Floats b) { return {vaddq_f32(a.low, b.low), vaddq_f32(a.high, b.high)}; }
    static Floats sub(Floats a, Floats b) { return {vsubq_f32(a.low, b.low), vsubq_f32(a.high, b.high)}; }
    static Floats mul(Floats a, Floats b) { return {vmulq_f32(a.low, b.low), vmulq_f32(a.high, b.high)}; }
    static Floats div(Floats a, Floats b) { return {vdivq_f32(a.low, b.low), vdivq_f32(a.high, b.high)}; }
    static Floats fma(Floats a, Floats b, Floats c) { return {vfmaq_f32(c.low, a.low, b.low), vfmaq_f32(c.high, a.high, b.high)}; }
    static Floats fnma(Floats a, Floats b, Floats c) { return {vfmsq_f32(c.low, a.low, b.low), vfmsq_f32(c.high, a.high, b.high)}; }
    // Not by vmaxq_f32 and vminq_f32, which return a NaN of either operand and order the zeros.
    static Floats max(Floats a, Floats b) { return select({vcgtq_f32(a.low, b.low), vcgtq_f32(a.high, b.high)}, a, b); }
    static Floats min(Floats a, Floats b) { return select({vcltq_f32(a.low, b.low), vcltq_f32(a.high, b.high)}, a, b); }
    static Mask first(int n) {
        const int32x4_t lane = {0, 1, 2, 3};
        return {vcgtq_s32(vdupq_n_s32(n), lane), vcgtq_s32(vdupq_n_s32(n), vaddq_s32(lane, vdupq_n_s32(4)))};
    }
    static Floats select(Mask m, Floats a, Floats b) { return {vbslq_f32(m.low, a.low, b.low), vbslq_f32(m.high, a.high, b.high)}; }

    static Floats to_float(Ints a) { return {vcvtq_f32_s32(a.low), vcvtq_f32_s32(a.high)}; }
    static Ints bits(Floats a) { return {vreinterpretq_s32_f32(a.low), vreinterpretq_s32_f32(a.high)}; }
    static Floats from_bits(Ints a) { return {vreinterpretq_f32_s32(a.low), vreinterpretq_f32_s32(a.high)}; }
    static Ints splat_int(int32_t x) { return {vdupq_n_s32(x), vdupq_n_s32(x)}; }
    static Ints add_ints(Ints a, Ints b) { return {vaddq_s32(a.low, b.low), vaddq_s32(a.high, b.high)}; }
    static Ints sub_ints(Ints a, Ints b) { return {vsubq_s32(a.low, b.low), vsubq_s32(a.high, b.high)}; }
    static Ints max_ints(Ints a, Ints b) { return {vmaxq_s32(a.low, b.low), vmaxq_s32(a.high, b.high)}; }
    template <int n>
    static Ints shift_left(Ints a) {
        return {vshlq_n_s32(a.low, n), vshlq_n_s32(a.high, n)};
    }
    template <int n>
    static Ints shift_right(Ints a) {
        return {vshrq_n_s32(a.low, n), vshrq_n_s32(a.high, n)};
    }

    static Squares no_squares() { return {}; }
    static Squares add_squares(Squares sum, const float* p) { return add_squares(sum, load_f32(p)); }
    static Squares add_squares(Squares sum, Floats a) {
        const float64x2_t v[4] = {vcvt_f64_f32(vget_low_f32(a.low)), vcvt_high_f64_f32(a.low), vcvt_f64_f32(vget_low_f32(a.high)),
                                  vcvt_high_f64_f32(a.high)};
        for (int i = 0; i < 4; ++i) sum.v[i] = vfmaq_f64(sum.v[i], v[i], v[i]);  // the products are exact
        return sum;
    }
    static void store_squares(double* p, Squares sum) {
        for (int i = 0; i < 4; ++i) vst1q_f64(p + 2 * i, sum.v[i]);
    }
};

struct Neon : NeonFloats {
    struct Bytes {
        uint8x16_t low, high;  // 4 inputs of outputs 0 .. 3, of 4 .. 7
    };
    struct Pairs {
        int16x8_t low, high;
    };

    static Floats load_bf16(const uint16_t* p) {
        const uint16x8_t v = vld1q_u16(p);
        return {vreinterpretq_f32_u32(vshlq_n_u32(vmovl_u16(vget_low_u16(v)), 16)),
                vreinterpretq_f32_u32(vshlq_n_u32(vmovl_high_u16(v), 16))};
    }
    static Ints zero_ints() { return splat_int(0); }

    static Bytes load_bytes(const void* p) {
        const auto* bytes = static_cast<const uint8_t*>(p);
        return {vld1q_u8(bytes), vld1q_u8(bytes + 16)};
    }
    static Bytes splat_byte(int v) {
        const uint8x16_t bytes = vdupq_n_u8(static_cast<uint8_t>(v));
        return {bytes, bytes};
    }
    static Bytes splat16(const void* p) {
        const uint8x16_t bytes = vld1q_u8(static_cast<const uint8_t*>(p));
        return {bytes, bytes};
    }
    // Of a table of 16 bytes, by indices below 16.
    static Bytes look_up(Bytes table, Bytes indices) { return {vqtbl1q_u8(table.low, indices.low), vqtbl1q_u8(table.high, indices.high)}; }
    static Bytes or_bytes(Bytes a, Bytes b) { return {vorrq_u8(a.low, b.low), vorrq_u8(a.high, b.high)}; }
    static Bytes and_bytes(Bytes v, int mask) {
        const uint8x16_t m = vdupq_n_u8(static_cast<uint8_t>(mask));
        return {vandq_u8(v.low, m), vandq_u8(v.high, m)};
    }
    // The upper two bytes of floats: in each 16 of `upper` and `lower` there are two of four lanes for f[0] and f[1], then for f[2] and
    // f[3].
    static void floats_of_bytes(Bytes upper, Bytes lower, Floats (&f)[4]) {
        for (int i = 0; i < 2; ++i) {
            const uint32x4_t low = upper_halves(upper.low, lower.low, i), high = upper_halves(upper.high, lower.high, i);
            f[2 * i] = {vreinterpretq_f32_u32(vshlq_n_u32(low, 16)), vreinterpretq_f32_u32(vshlq_n_u32(high, 16))};
            const uint32x4_t second = vdupq_n_u32(0xffff0000);
            f[2 * i + 1] = {vreinterpretq_f32_u32(vandq_u32(low, second)), vreinterpretq_f32_u32(vandq_u32(high, second))};
        }
    }
    static Bytes low_nibbles(Bytes v) { return and_bytes(v, 15); }
    static Bytes high_nibbles(Bytes v) { return {vshrq_n_u8(v.low, 4), vshrq_n_u8(v.high, 4)}; }
    // Bit `bit` of every byte as the value 16; bits 2i and 2i + 1 as 16 and 32.
    static Bytes bit_as_16(Bytes v, int bit) { return and_bytes(shift_bytes(v, 4 - bit), 16); }
    static Bytes two_bits_as_16(Bytes v, int i) { return and_bytes(shift_bytes(v, 4 - 2 * i), 48); }

    static Pairs pairs_u8(const void* p) {
        const uint8x16_t v = vld1q_u8(static_cast<const uint8_t*>(p));
        return {vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(v))), vreinterpretq_s16_u16(vmovl_high_u8(v))};
    }
    static Pairs pairs_s8(const void* p) {
        const int8x16_t v = vld1q_s8(static_cast<const int8_t*>(p));
        return {vmovl_s8(vget_low_s8(v)), vmovl_high_s8(v)};
    }
    static Pairs splat_pair(const int16_t* p) {
        const int16x8_t pair = vreinterpretq_s16_s32(splat4(p));
        return {pair, pair};
    }
    static Ints dot_pairs(Ints total, Pairs a, Pairs b) {
        return {dot_half(total.low, a.low, b.low), dot_half(total.high, a.high, b.high)};
    }

    using Sums = Ints;
    static constexpr int products = 4;
    static constexpr int sum_max = INT32_MAX;
    static constexpr int unsigned_max = 127;  // multiplied as signed bytes
    // Six rows: their sums, the totals over sub-blocks and two groups of weights fill 28 registers of the 32.
    static constexpr size_t byte_vectors = 1, byte_rows = 6, float_vectors = 2, float_rows = 4;
    static constexpr size_t bytes_ahead(size_t rows) { return rows >= 4 ? 9472 : 0; }  // these two as measured for AVX-512
    static constexpr int locality = 2;

    static Sums zero_sums() { return zero_ints(); }
    // Column c of the sums of P vectors, with 4 inputs. Bytes without a sign stay below 64, so as signed ones they are the same.
    template <size_t P, size_t C>
    static void dot_u8(Sums (&sums)[P][C], size_t c, const Bytes (&w)[P], const int8_t* x) {
        const int8x16_t inputs = vreinterpretq_s8_s32(splat4(x));
        for (size_t p = 0; p < P; ++p) {
            sums[p][c].low = vdotq_s32(sums[p][c].low, vreinterpretq_s8_u8(w[p].low), inputs);
            sums[p][c].high = vdotq_s32(sums[p][c].high, vreinterpretq_s8_u8(w[p].high), inputs);
        }
    }

    using Scales = Ints;
    static Scales scales(const uint8_t* p) {
        const int16x8_t v = vreinterpretq_s16_u16(vmovl_u8(vld1_u8(p)));
        return {vmovl_s16(vget_low_s16(v)), vmovl_high_s16(v)};
    }
    // The first or the second of every pair.
    static Scales alternate_scales(const void* pairs, int which) {
        const int8x8x2_t v = vld2_s8(static_cast<const int8_t*>(pairs));
        const int16x8_t chosen = vmovl_s8(which ? v.val[1] : v.val[0]);
        return {vmovl_s16(vget_low_s16(chosen)), vmovl_high_s16(chosen)};
    }
    static Ints add_scaled(Ints total, Sums sums, Scales scale) {
        return {vmlaq_s32(total.low, sums.low, scale.low), vmlaq_s32(total.high, sums.high, scale.high)};
    }
    static Ints add_sums(Ints total, Sums sums) { return add_ints(total, sums); }

    using SignedBytes = Bytes;

    static Ints magnitude_bits(Floats v) { return bits({vabsq_f32(v.low), vabsq_f32(v.high)}); }
    static Ints max_unsigned(Ints a, Ints b) { return {max_unsigned(a.low, b.low), max_unsigned(a.high, b.high)}; }
    static int32_t largest(Ints v) { return vmaxvq_s32(vmaxq_s32(v.low, v.high)); }
    static uint32_t largest_unsigned(Ints v) { return vmaxvq_u32(vreinterpretq_u32_s32(max_unsigned(v.low, v.high))); }
    static float round_to_f16(float v) { return vgetq_lane_f32(vcvt_f32_f16(vcvt_f16_f32(vdupq_n_f32(v))), 0); }
    static Ints round_half_even(Floats v) { return {vcvtnq_s32_f32(v.low), vcvtnq_s32_f32(v.high)}; }
    static Ints round_half_away(Floats v) { return {vcvtaq_s32_f32(v.low), vcvtaq_s32_f32(v.high)}; }
    // 32 values of -127 .. 127 as bytes, in order.
    static void store_s8(int8_t* p, Ints a, Ints b, Ints c, Ints d) {
        vst1q_s8(p, vcombine_s8(vmovn_s16(narrow(a)), vmovn_s16(narrow(b))));
        vst1q_s8(p + 16, vcombine_s8(vmovn_s16(narrow(c)), vmovn_s16(narrow(d))));
    }
    static int32_t sum_of_32(const int8_t* q) { return vaddlvq_s8(vld1q_s8(q)) + vaddlvq_s8(vld1q_s8(q + 16)); }
    // Of 128 bytes, 16 sums.
    static void sums_of_8(const int8_t* q, int16_t* sums) {
        int16x8_t fours[4];
        for (int i = 0; i < 4; ++i, q += 32) fours[i] = vpaddq_s16(vpaddlq_s8(vld1q_s8(q)), vpaddlq_s8(vld1q_s8(q + 16)));
        for (int i = 0; i < 2; ++i) vst1q_s16(sums + 8 * i, vpaddq_s16(fours[2 * i], fours[2 * i + 1]));
    }
    // Of 16, 8.
    static void add_neighbours(const int16_t* sums, int16_t* pairs) { vst1q_s16(pairs, vpaddq_s16(vld1q_s16(sums), vld1q_s16(sums + 8))); }

private:
    static int32x4_t max_unsigned(int32x4_t a, int32x4_t b) {
        return vreinterpretq_s32_u32(vmaxq_u32(vreinterpretq_u32_s32(a), vreinterpretq_u32_s32(b)));
    }
    static int32x4_t splat4(const void* p) {
        int32_t v;
        __builtin_memcpy(&v, p, sizeof v);
        return vdupq_n_s32(v);
    }
    static uint32x4_t upper_halves(uint8x16_t upper, uint8x16_t lower, int half) {
        return vreinterpretq_u32_u8(half == 0 ? vzip1q_u8(lower, upper) : vzip2q_u8(lower, upper));
    }
    // By operators, which take a count that is a constant only after unrolling.
    static Bytes shift_bytes(Bytes v, int n) {
        const auto left = static_cast<uint8_t>(n), right = static_cast<uint8_t>(-n);
        if (n >= 0) return {v.low << left, v.high << left};
        return {v.low >> right, v.high >> right};
    }
    static int32x4_t dot_half(int32x4_t total, int16x8_t a, int16x8_t b) {
        return vaddq_s32(total, vpaddq_s32(vmull_s16(vget_low_s16(a), vget_low_s16(b)), vmull_high_s16(a, b)));
    }
    static int16x8_t narrow(Ints v) { return vcombine_s16(vmovn_s32(v.low), vmovn_s32(v.high)); }
};

}  // namespace

}  // namespace kylin
