// The kernels in plain loops for any CPU: the definition that the other tables must match bit for bit.
#include <bit>
#include <cmath>
#include <limits>

#include "kernels/dispatch.h"
#include "kernels/recipes/attention.h"
#include "kernels/recipes/panel.h"
#include "kernels/recipes/peak.h"
#include "kernels/recipes/quantize.h"
#include "kernels/recipes/rows.h"

namespace kylin {
namespace {

void scalar_quantize_q8_0(const float* x, ActivationQ8_0* y, int n) {
    for (int b = 0; b < n / 32; ++b, x += 32) {
        float amax = 0;
        bool finite = true;
        for (int i = 0; i < 32; ++i) {
            finite = finite && std::isfinite(x[i]);
            amax = std::fmax(amax, std::fabs(x[i]));
        }
        const float d = amax / 127.0f;
        const float inverse = d != 0.0f ? 1.0f / d : 0.0f;
        const bool scalable = finite && std::isfinite(inverse);
        y[b].d = finite ? f16_to_f32(f32_to_f16(d)) : std::numeric_limits<float>::quiet_NaN();
        y[b].sum = 0;
        for (int i = 0; i < 32; ++i) {
            y[b].qs[i] = scalable ? static_cast<int8_t>(std::round(x[i] * inverse)) : int8_t{0};
            y[b].sum += y[b].qs[i];
        }
    }
}

void scalar_quantize_q8_k(const float* x, ActivationQ8_K* y, int n) {
    for (int b = 0; b < n / 256; ++b, x += 256) {
        float largest = 0;  // in magnitude, the first of equals, with its sign
        bool finite = true;
        for (int i = 0; i < 256; ++i) {
            finite = finite && std::isfinite(x[i]);
            if (std::fabs(x[i]) > std::fabs(largest)) largest = x[i];
        }
        const float inverse = finite && largest != 0.0f ? -127.0f / largest : 0.0f;
        y[b] = ActivationQ8_K{};
        if (!finite) y[b].d = std::numeric_limits<float>::quiet_NaN();
        if (inverse == 0.0f || !std::isfinite(inverse)) continue;
        y[b].d = 1.0f / inverse;
        for (int i = 0; i < 256; ++i) {
            y[b].qs[i] = static_cast<int8_t>(std::nearbyint(x[i] * inverse));  // half to even
            y[b].offsets_of_8[i / 8] = static_cast<int16_t>(y[b].offsets_of_8[i / 8] - 32 * y[b].qs[i]);
            y[b].sums_of_16[i / 16] = static_cast<int16_t>(y[b].sums_of_16[i / 16] + y[b].qs[i]);
            y[b].sums_of_32[i / 32] = static_cast<int16_t>(y[b].sums_of_32[i / 32] + y[b].qs[i]);
        }
    }
}

// Input i (of 32) of output o: its place in 4 pairs of groups.
int nibble_at(const uint8_t (&pairs)[4][64], int o, int i) { return pairs[i / 4 % 4][4 * o + i % 4] >> (i < 16 ? 0 : 4) & 15; }
int fifth_bit_at(const uint8_t (&high)[64], int o, int i) { return (high[4 * o + i % 4] >> (i / 4) & 1) << 4; }

int quant(const PanelQ4K& w, int o, int i) { return nibble_at(w.quants[i / 32], o, i % 32); }
int quant(const PanelQ5K& w, int o, int i) {
    return nibble_at(w.sub_blocks[i / 32].quants, o, i % 32) | fifth_bit_at(w.sub_blocks[i / 32].high, o, i % 32);
}
int quant(const PanelQ6K& w, int o, int i) {
    const int s = i / 16, group = i / 4 % 4, at = 4 * o + i % 4;
    return (w.sub_blocks[s].low[group / 2][at] >> (4 * (group % 2)) & 15) | (w.sub_blocks[s].high[at] >> (2 * group) & 3) << 4;
}

float dot_q2_k(const std::byte* panel, int o, const std::byte* row, int width) {
    const auto* w = reinterpret_cast<const PanelQ2K*>(panel);
    const auto* x = reinterpret_cast<const ActivationQ8_K*>(row);
    float total = 0;
    for (int b = 0; b < width / 256; ++b, ++w, ++x) {
        int isum = 0, msum = 0;
        for (int i = 0; i < 256; ++i) {
            const int s = i / 16, q = w->quants[s][4 * o + i % 4] >> (2 * (i / 4 % 4)) & 3;
            isum += w->scales[s / 2][o][s % 2] * q * x->qs[i];
            msum += w->mins[s / 2][o][s % 2] * x->qs[i];
        }
        total = std::fma(w->d[o] * x->d, static_cast<float>(isum), total);
        total = std::fma(-(w->dmin[o] * x->d), static_cast<float>(msum), total);
    }
    return total;
}

template <class Panel>
float dot_with_mins(const std::byte* panel, int o, const std::byte* row, int width) {
    const auto* w = reinterpret_cast<const Panel*>(panel);
    const auto* x = reinterpret_cast<const ActivationQ8_K*>(row);
    float total = 0;
    for (int b = 0; b < width / 256; ++b, ++w, ++x) {
        int isum = 0, msum = 0;
        for (int i = 0; i < 256; ++i) {
            isum += w->scales[i / 32][o] * quant(*w, o, i) * x->qs[i];
            msum += w->mins[i / 64][o][i / 32 % 2] * x->qs[i];
        }
        total = std::fma(f16_to_f32(w->d[o]) * x->d, static_cast<float>(isum), total);
        total = std::fma(-(f16_to_f32(w->dmin[o]) * x->d), static_cast<float>(msum), total);
    }
    return total;
}

float dot_q6_k(const std::byte* panel, int o, const std::byte* row, int width) {
    const auto* w = reinterpret_cast<const PanelQ6K*>(panel);
    const auto* x = reinterpret_cast<const ActivationQ8_K*>(row);
    float total = 0;
    for (int b = 0; b < width / 256; ++b, ++w, ++x) {
        int isum = 0;
        for (int i = 0; i < 256; ++i) isum += w->scales[i / 32][o][i / 16 % 2] * (quant(*w, o, i) - 32) * x->qs[i];
        total = std::fma(w->d[o] * x->d, static_cast<float>(isum), total);
    }
    return total;
}

int weight(const PanelQ8_0& w, int o, int i) { return w.quants[i / 4][4 * o + i % 4]; }
int weight(const PanelQ4_0& w, int o, int i) { return nibble_at(w.quants, o, i) - 8; }
int weight(const PanelIQ4NL& w, int o, int i) { return iq4_nl_values[nibble_at(w.quants, o, i)]; }
int weight(const PanelQ4_1& w, int o, int i) { return nibble_at(w.quants, o, i); }
int weight(const PanelQ5_0& w, int o, int i) { return (nibble_at(w.quants, o, i) | fifth_bit_at(w.high, o, i)) - 16; }
int weight(const PanelQ5_1& w, int o, int i) { return nibble_at(w.quants, o, i) | fifth_bit_at(w.high, o, i); }

template <class Panel>
float dot_blocks(const std::byte* panel, int o, const std::byte* row, int width) {
    const auto* w = reinterpret_cast<const Panel*>(panel);
    const auto* x = reinterpret_cast<const ActivationQ8_0*>(row);
    float total = 0;
    for (int b = 0; b < width / 32; ++b, ++w, ++x) {
        int isum = 0, xsum = 0;
        for (int i = 0; i < 32; ++i) {
            isum += weight(*w, o, i) * x->qs[i];
            xsum += x->qs[i];
        }
        const float dx = x->d;
        total = std::fma(f16_to_f32(w->d[o]) * dx, static_cast<float>(isum), total);
        if constexpr (requires { w->m; }) total = std::fma(f16_to_f32(w->m[o]) * dx, static_cast<float>(xsum), total);
    }
    return total;
}

template <class Element, float (*to_f32)(Element)>
float dot_floats(const std::byte* panel, int o, const std::byte* row, int width) {
    const auto* w = reinterpret_cast<const Element*>(panel) + o;
    const auto* x = reinterpret_cast<const float*>(row);
    float total = 0, part = 0;
    for (int i = 0; i < width; ++i) {
        part = std::fma(to_f32(w[panel_outputs * i]), x[i], part);
        if ((i + 1) % float_chunk == 0 || i + 1 == width) {
            total = total + part;
            part = 0;
        }
    }
    return total;
}

float same(float v) { return v; }
float bf16_to_f32(uint16_t v) { return std::bit_cast<float>(uint32_t{v} << 16); }

using Dot = float (*)(const std::byte* panel, int o, const std::byte* row, int width);
Dot dot_of(BlockType type) {
    switch (type) {
        case BlockType::q2_k:
            return dot_q2_k;
        case BlockType::q4_k:
            return dot_with_mins<PanelQ4K>;
        case BlockType::q5_k:
            return dot_with_mins<PanelQ5K>;
        case BlockType::q6_k:
            return dot_q6_k;
        case BlockType::q8_0:
            return dot_blocks<PanelQ8_0>;
        case BlockType::q4_0:
            return dot_blocks<PanelQ4_0>;
        case BlockType::q4_1:
            return dot_blocks<PanelQ4_1>;
        case BlockType::q5_0:
            return dot_blocks<PanelQ5_0>;
        case BlockType::q5_1:
            return dot_blocks<PanelQ5_1>;
        case BlockType::iq4_nl:
            return dot_blocks<PanelIQ4NL>;
        case BlockType::f16:
            return dot_floats<uint16_t, f16_to_f32>;
        case BlockType::bf16:
            return dot_floats<uint16_t, bf16_to_f32>;
        default:
            return dot_floats<float, same>;
    }
}

// Outputs of a panel, [input][16].
std::vector<float> short_floats(const PackedMatrix& w, int panel) {
    const auto* head = reinterpret_cast<const PanelShortHead*>(w.panel(panel));
    const auto* units = reinterpret_cast<const PanelShortUnit*>(head + 1);
    const size_t width = static_cast<size_t>(w.width());
    std::vector<float> values(width * panel_outputs);
    for (size_t i = 0; i < width; ++i)
        for (size_t o = 0; o < panel_outputs; ++o) {
            const PanelShortUnit& unit = units[i / 8];
            const size_t half = i / 4 % 2, at = short_place(o, i % 4);
            const int code = unit.codes[at] >> (4 * half) & 15, rest = unit.rest[half][at];
            const int upper = head->upper[code] | (rest & 0x80), lower = head->lower[code] | (rest & 0x7f);
            values[panel_outputs * i + o] = bf16_to_f32(static_cast<uint16_t>(upper << 8 | lower));
        }
    for (const Outlier* outlier = w.outliers(panel); outlier->at < values.size(); ++outlier) values[outlier->at] = outlier->value;
    return values;
}

void matmul_short_floats(const MatmulTask& task) {
    const PackedMatrix& w = *task.weights;
    for (int first = task.first_output; first < task.first_output + task.n_outputs; first += panel_outputs) {
        const auto values = short_floats(w, first / panel_outputs);
        const int n = std::min(panel_outputs, task.first_output + task.n_outputs - first);
        for (int o = 0; o < n; ++o)
            for (size_t r = 0; r < static_cast<size_t>(task.n_rows); ++r)
                task.y[r * task.y_stride + static_cast<size_t>(first + o)] =
                    dot_floats<float, same>(reinterpret_cast<const std::byte*>(values.data()), o, task.x + r * task.x_stride, w.width());
    }
}

void scalar_matmul(const MatmulTask& task) {
    const PackedMatrix& w = *task.weights;
    if (w.packing() == Packing::short_floats) return matmul_short_floats(task);
    const Dot dot = dot_of(w.type());
    for (int output = task.first_output; output < task.first_output + task.n_outputs; ++output)
        for (int r = 0; r < task.n_rows; ++r) {
            const size_t row = static_cast<size_t>(r);
            task.y[row * task.y_stride + static_cast<size_t>(output)] =
                dot(w.panel(output / panel_outputs), output % panel_outputs, task.x + row * task.x_stride, w.width());
        }
}

}  // namespace

const Kernels scalar_kernels = {
    .name = "scalar",
    .quantize_q8_0 = scalar_quantize_q8_0,
    .quantize_q8_k = scalar_quantize_q8_k,
    .matmul = scalar_matmul,
    .rms_norm = rms_norm<ScalarFloats>,
    .rope = rope<ScalarFloats>,
    .silu_mul = silu_mul<ScalarFloats>,
    .add = add<ScalarFloats>,
    .find_peaks = find_peaks<ScalarFloats>,
    .store_kv = store_kv<ScalarFloats, scalar_quantize_q8_0>,
    .attend = attend<ScalarFloats>,
    .multiply_floats = multiply_floats<ScalarFloats>,
};

}  // namespace kylin
