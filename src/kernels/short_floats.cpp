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

// Four F16 or BF16 values, the first in the lowest bits.
using Four = uint64_t;
constexpr Four each(uint64_t v) { return v * 0x0001000100010001; }
Four load_four(const std::byte* row, size_t i) {
    Four v = 0;
    if (row) std::memcpy(&v, row + 2 * i, sizeof v);
    return v;
}

uint32_t float_bits(BlockType type, uint16_t v) {
    return type == BlockType::bf16 ? uint32_t{v} << 16 : std::bit_cast<uint32_t>(f16_to_f32(v));
}
bool fits(uint32_t bits, int base) {
    const int code = static_cast<int>(bits >> 23 & 255) - base;
    return (bits & 0xffff) == 0 && code >= 0 && code < n_exponents;
}

// Looks at every 16th input of each row.
template <class F>
void for_sample(BlockType type, PanelRows rows, size_t width, F&& f) {
    for (size_t o = 0; o < rows.size(); ++o)
        for (size_t i = o; rows[o] && i < width; i += rows.size()) {
            uint16_t v;
            std::memcpy(&v, rows[o] + 2 * i, sizeof v);
            f(float_bits(type, v));
        }
}

// The first of the 16 exponents that most weights of the panel have. Of windows that are as good in the sample, the second from below: some
// weight is larger than all that were looked at, and of a bell's few are near 0.
int best_base(BlockType type, PanelRows rows, size_t width) {
    std::array<int, 257> below{};  // weights with a smaller exponent
    for_sample(type, rows, width, [&](uint32_t bits) { ++below[(bits >> 23 & 255) + 1]; });
    std::partial_sum(below.begin(), below.end(), below.begin());
    const auto in_window = [&](int base) { return below[static_cast<size_t>(base + n_exponents)] - below[static_cast<size_t>(base)]; };
    int best = 0;
    for (int base = 1; base <= 256 - n_exponents; ++base)
        if (in_window(base) > in_window(best)) best = base;
    return best < 256 - n_exponents && in_window(best + 1) == in_window(best) ? best + 1 : best;
}

// As BF16, with false if that is not exact or a value is not normal.
bool to_bf16(BlockType type, Four& v) {
    if (type == BlockType::bf16) return true;
    const Four exponent = v & each(0x7c00);
    const bool finite = ((exponent + each(0x0400)) & each(0x8000)) == 0;
    const bool normal = ((exponent + each(0x7c00)) & each(0x8000)) == each(0x8000);
    const bool exact = (v & each(7)) == 0;
    v = (v & each(0x8000)) + ((v & each(0x7fff)) >> 3) + each((127 - 15) << 7);
    return finite && normal && exact;
}

// Codes and the other bits of four values, a byte in each 16 bits.
struct Parts {
    Four codes, rest;
};
bool split(Four bf16, int base, Parts& parts) {
    const Four code = (bf16 >> 7 & each(255)) + each(256) - each(static_cast<uint64_t>(base));
    parts = {code & each(15), (bf16 >> 8 & each(128)) | (bf16 & each(127))};
    return ((code ^ each(256)) & each(0x1f0)) == 0;
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
            for (size_t o = 0; o < rows_.size(); ++o) {
                __builtin_prefetch(rows_[o] + 2 * (rows_.size() * width_ + k));  // of the next panel, see packed_matrix.cpp
                for (size_t i = k; i < std::min(k + line, width_); i += unit_inputs) write_unit(o, i);
            }
        std::ranges::sort(outliers_, {}, &Outlier::at);
        if (!outliers_.empty()) outliers_.push_back(no_outlier);
        return std::move(outliers_);
    }

private:
    void write_unit(size_t o, size_t input) {
        const Parts first = parts_of(o, input), second = parts_of(o, input + 4);
        PanelShortUnit& unit = units_[input / unit_inputs];
        store(unit.codes, o, first.codes | second.codes << 4);
        store(unit.rest[0], o, first.rest);
        store(unit.rest[1], o, second.rest);
    }
    static void store(uint8_t* line, size_t o, Four v) {
        const Four pairs = v | v >> 8;
        const auto first = static_cast<uint16_t>(pairs), second = static_cast<uint16_t>(pairs >> 32);
        std::memcpy(line + short_place(o, 0), &first, sizeof first);
        std::memcpy(line + short_place(o, 2), &second, sizeof second);
    }

    Parts parts_of(size_t o, size_t input) {
        const Four source = load_four(rows_[o], input);
        Four v = source;
        Parts parts;
        if (to_bf16(type_, v) && split(v, base_, parts)) return parts;
        return rows_[o] ? parts_one_by_one(source, o, input) : Parts{};
    }
    // Values of F16 that are not normal there are normal in BF16, if it has all their bits.
    Parts parts_one_by_one(Four source, size_t o, size_t input) {
        Four fitting = 0;
        for (size_t j = 0; j < 4; ++j) {
            const uint32_t bits = float_bits(type_, static_cast<uint16_t>(source >> (16 * j)));
            if (fits(bits, base_))
                fitting |= Four{bits >> 16} << (16 * j);
            else
                outliers_.push_back({static_cast<uint32_t>(rows_.size() * (input + j) + o), std::bit_cast<float>(bits)});
        }
        Parts parts;
        split(fitting, base_, parts);
        return parts;
    }

    BlockType type_;
    PanelRows rows_;
    size_t width_;
    int base_;
    PanelShortUnit* units_;
    std::vector<Outlier> outliers_;
};

}  // namespace

bool suits_short_floats(BlockType type, int n_outputs, int width, std::span<const std::byte> source) {
    constexpr int panels_seen = 16, most_outliers = 256;  // one in so many; with each, 4 inputs of 16 outputs go through memory
    if ((type != BlockType::f16 && type != BlockType::bf16) || width % short_inputs != 0) return false;
    const size_t stride = 2 * static_cast<size_t>(width);
    if (source.size() != stride * static_cast<size_t>(n_outputs)) return false;
    const int n_panels = n_outputs / 16, step = std::max(n_panels / panels_seen, 1);
    int n = 0, n_outliers = 0;
    for (int p = 0; p < n_panels; p += step) {
        std::array<const std::byte*, 16> rows;
        for (size_t o = 0; o < rows.size(); ++o) rows[o] = source.data() + (16 * static_cast<size_t>(p) + o) * stride;
        const int base = best_base(type, rows, static_cast<size_t>(width));
        for_sample(type, rows, static_cast<size_t>(width), [&](uint32_t bits) { ++n, n_outliers += !fits(bits, base); });
    }
    return n > 0 && n_outliers * most_outliers <= n;
}

size_t short_panel_bytes(int width) { return sizeof(PanelShortHead) + static_cast<size_t>(width / unit_inputs) * sizeof(PanelShortUnit); }

std::vector<Outlier> pack_short_floats(std::byte* to, BlockType type, PanelRows rows, size_t width) {
    return PanelWriter(to, type, rows, width).write();
}

}  // namespace kylin
