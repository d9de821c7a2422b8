#include "kernels/short_floats.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <numeric>

#include "gguf/block_codec.h"
#include "kernels/recipes/panel.h"

namespace kylin {
namespace {

constexpr int unit_inputs = 8, n_exponents = 16;

// Eight inputs of an output, in any of these forms.
using Eight = uint16_t __attribute__((vector_size(16)));
using Pairs = uint32_t __attribute__((vector_size(16)));

uint32_t float_bits(BlockType type, uint16_t v) {
    if (type == BlockType::bf16) return uint32_t{v} << 16;
    const uint32_t exponent = v & 0x7c00;
    if (exponent == 0 || exponent == 0x7c00) return std::bit_cast<uint32_t>(f16_to_f32(v));
    return ((v & 0x8000u) << 16) | (((v & 0x7fffu) << 13) + ((127 - 15) << 23));
}
bool fits(uint32_t bits, uint16_t base) {
    const int code = static_cast<int>(bits >> 23 & 255) - base;
    return (bits & 0xffff) == 0 && code >= 0 && code < n_exponents;
}

// Looks at every 32nd input of each row.
template <class F>
void for_sample(BlockType type, PanelRows rows, size_t width, F&& f) {
    for (size_t o = 0; o < rows.size(); ++o)
        for (size_t i = 2 * o; rows[o] && i < width; i += 2 * rows.size()) {
            uint16_t v;
            std::memcpy(&v, rows[o] + 2 * i, sizeof v);
            f(float_bits(type, v));
        }
}

// The first of the 16 exponents that most weights of the panel have. Of windows that are as good in the sample, the second from below: some
// weight is larger than all that were looked at, and of a bell's few are near 0.
uint16_t best_base(BlockType type, PanelRows rows, size_t width) {
    std::array<int, 257> below{};  // weights with a smaller exponent
    for_sample(type, rows, width, [&](uint32_t bits) { ++below[(bits >> 23 & 255) + 1]; });
    std::partial_sum(below.begin(), below.end(), below.begin());
    const auto in_window = [&](int base) { return below[static_cast<size_t>(base + n_exponents)] - below[static_cast<size_t>(base)]; };
    int best = 0;
    for (int base = 1; base <= 256 - n_exponents; ++base)
        if (in_window(base) > in_window(best)) best = base;
    if (best < 256 - n_exponents && in_window(best + 1) == in_window(best)) ++best;
    return static_cast<uint16_t>(best);
}

bool any(Eight v) {
    uint64_t halves[2];
    std::memcpy(halves, &v, sizeof halves);
    return (halves[0] | halves[1]) != 0;
}

// Multiples of 2^-24 below 1024 * 2^-24, as the halves of floats.
struct FloatHalves {
    Eight upper, lower;
};
FloatHalves halves_of_small(Eight multiple) {
    using Ints = int32_t __attribute__((vector_size(16)));
    using Floats = float __attribute__((vector_size(16)));
    const auto to_float = [](Eight v) {
        return reinterpret_cast<Eight>(__builtin_convertvector(reinterpret_cast<Ints>(v), Floats) * 0x1p-24f);
    };
    const Eight first = to_float(__builtin_shufflevector(multiple, Eight{}, 0, 8, 1, 8, 2, 8, 3, 8));
    const Eight second = to_float(__builtin_shufflevector(multiple, Eight{}, 4, 8, 5, 8, 6, 8, 7, 8));
    return {__builtin_shufflevector(first, second, 1, 3, 5, 7, 9, 11, 13, 15),
            __builtin_shufflevector(first, second, 0, 2, 4, 6, 8, 10, 12, 14)};
}

// Of F16 as BF16. Not zero in `wrong` is what has more bits than that, or is not finite.
Eight bf16_of(Eight f16, Eight& wrong) {
    const Eight exponent = f16 & 0x7c00, sign = f16 & 0x8000;
    const auto small = reinterpret_cast<Eight>(exponent == 0);
    wrong |= (f16 & 7 & ~small) | reinterpret_cast<Eight>(exponent == 0x7c00);
    const Eight v = sign + ((f16 & 0x7fff) >> 3) + ((127 - 15) << 7);
    if (!any(small)) return v;
    const FloatHalves halves = halves_of_small(f16 & 0x3ff);
    wrong |= halves.lower & small;
    return (v & ~small) | ((sign | halves.upper) & small);
}

// Bytes, one in each 16 bits, of four outputs as two of the 16 bytes that `short_place` orders.
struct Halves {
    Eight inputs_0_to_3, inputs_4_to_7;
};
Halves place(const Eight (&bytes)[4]) {
    Pairs pairs[4];  // the bytes of two inputs in the lower half of each
    for (size_t o = 0; o < 4; ++o) {
        const auto v = reinterpret_cast<Pairs>(bytes[o]);
        pairs[o] = (v | v >> 8) & 0xffff;
    }
    const Pairs first = pairs[0] | pairs[1] << 16, second = pairs[2] | pairs[3] << 16;
    return {reinterpret_cast<Eight>(__builtin_shufflevector(first, second, 0, 4, 1, 5)),
            reinterpret_cast<Eight>(__builtin_shufflevector(first, second, 2, 6, 3, 7))};
}

class PanelWriter {
public:
    PanelWriter(std::byte* to, BlockType type, PanelRows rows, size_t width)
        : type_(type), rows_(rows), width_(width), base_(best_base(type, rows, width)) {
        auto* head = reinterpret_cast<PanelShortHead*>(to);
        for (int code = 0; code < n_exponents; ++code) {
            head->upper[code] = static_cast<uint8_t>((base_ + code) >> 1);
            head->lower[code] = static_cast<uint8_t>((base_ + code) << 7);
        }
        units_ = reinterpret_cast<PanelShortUnit*>(head + 1);
    }

    std::vector<Outlier> write() {
        constexpr size_t line = 32;  // inputs of a row in a cache line
        for (size_t k = 0; k < width_; k += line)
            for (size_t o = 0; o < rows_.size(); o += 4) {
                for (size_t i = o; i < o + 4; ++i)
                    if (rows_[i]) __builtin_prefetch(rows_[i] + 2 * (rows_.size() * width_ + k));  // of the next panel
                for (size_t i = k; i < std::min(k + line, width_); i += unit_inputs) write_four(o, i);
            }
        std::ranges::sort(outliers_, {}, &Outlier::at);
        if (!outliers_.empty()) outliers_.push_back(no_outlier);
        return std::move(outliers_);
    }

private:
    // Eight inputs of four outputs.
    void write_four(size_t o, size_t input) {
        Eight codes[4], rest[4];
        for (size_t i = 0; i < 4; ++i) {
            const Eight v = bf16(o + i, input);
            codes[i] = (v >> 7 & 255) - base_;
            rest[i] = (v >> 8 & 0x80) | (v & 0x7f);
        }
        const Halves code = place(codes), other = place(rest);
        PanelShortUnit& unit = units_[input / unit_inputs];
        const Eight both = code.inputs_0_to_3 | code.inputs_4_to_7 << 4;
        const size_t at = short_place(o, 0);
        std::memcpy(unit.codes + at, &both, sizeof both);
        std::memcpy(unit.rest[0] + at, &other.inputs_0_to_3, sizeof both);
        std::memcpy(unit.rest[1] + at, &other.inputs_4_to_7, sizeof both);
    }

    // With one of the panel's exponents each.
    Eight bf16(size_t o, size_t input) {
        if (!rows_[o]) return Eight{} + static_cast<uint16_t>(base_ << 7);
        Eight source, wrong{};
        std::memcpy(&source, rows_[o] + 2 * input, sizeof source);
        Eight v = type_ == BlockType::bf16 ? source : bf16_of(source, wrong);
        wrong |= ((v >> 7 & 255) - base_) & static_cast<uint16_t>(~(n_exponents - 1));
        if (any(wrong)) [[unlikely]]
            take_out(source, wrong, v, o, input);
        return v;
    }
    void take_out(Eight source, Eight wrong, Eight& v, size_t o, size_t input) {
        for (size_t i = 0; i < unit_inputs; ++i) {
            if (wrong[i] == 0) continue;
            const uint32_t bits = float_bits(type_, source[i]);
            v[i] = static_cast<uint16_t>(fits(bits, base_) ? bits >> 16 : uint32_t{base_} << 7);
            if (!fits(bits, base_))
                outliers_.push_back({static_cast<uint32_t>(rows_.size() * (input + i) + o), std::bit_cast<float>(bits)});
        }
    }

    BlockType type_;
    PanelRows rows_;
    size_t width_;
    uint16_t base_;
    PanelShortUnit* units_;
    std::vector<Outlier> outliers_;
};

}  // namespace

bool suits_short_floats(BlockType type, int n_outputs, int width, std::span<const std::byte> source) {
    constexpr int panels_seen = 4, most_outliers = 256;  // one in so many; each is a branch that nobody foresees
    constexpr int widest = 1 << 20;                      // places in a panel are 32 bits
    if ((type != BlockType::f16 && type != BlockType::bf16) || width % short_inputs != 0 || width > widest) return false;
    const size_t stride = 2 * static_cast<size_t>(width);
    if (source.size() != stride * static_cast<size_t>(n_outputs)) return false;
    const int n_panels = n_outputs / 16, step = std::max(n_panels / panels_seen, 1);
    int n = 0, n_outliers = 0;
    for (int p = 0; p < n_panels; p += step) {
        std::array<const std::byte*, 16> rows;
        for (size_t o = 0; o < rows.size(); ++o) rows[o] = source.data() + (16 * static_cast<size_t>(p) + o) * stride;
        const uint16_t base = best_base(type, rows, static_cast<size_t>(width));
        for_sample(type, rows, static_cast<size_t>(width), [&](uint32_t bits) { ++n, n_outliers += !fits(bits, base); });
    }
    return n > 0 && n_outliers * most_outliers <= n;
}

size_t short_panel_bytes(int width) { return sizeof(PanelShortHead) + static_cast<size_t>(width / unit_inputs) * sizeof(PanelShortUnit); }

std::vector<Outlier> pack_short_floats(std::byte* to, BlockType type, PanelRows rows, size_t width) {
    return PanelWriter(to, type, rows, width).write();
}

}  // namespace kylin
