#include "numerics/rope_table.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "gguf/block_codec.h"

namespace kylin {
namespace {

// The dimension whose wave turns n_turns times within the original context (YaRN, section 3.2).
double yarn_dimension(const Rope& r, double n_turns) {
    return r.n_dims * std::log(r.original_context / (n_turns * 2 * std::numbers::pi)) / (2 * std::log(r.base));
}

// Share of a pair that is extrapolated (1) rather than interpolated (0).
double yarn_mix(const Rope& r, int pair) {
    const double low = std::max(0.0, std::floor(yarn_dimension(r, r.yarn_beta_fast)));
    const double high = std::min(r.n_dims - 1.0, std::ceil(yarn_dimension(r, r.yarn_beta_slow)));
    const double ramp = (pair - low) / std::max(0.001, high - low);
    return (1 - std::clamp(ramp, 0.0, 1.0)) * r.yarn_ext_factor;
}

// Radians per position of each pair.
std::vector<double> frequencies(const Rope& r) {
    const int n_pairs = r.n_dims / 2;
    std::vector<float> factors(static_cast<size_t>(n_pairs), 1.0f);
    if (r.factors) dequantize_row(r.factors.type, r.factors.row(0), factors.data(), n_pairs);
    std::vector<double> f;
    for (int i = 0; i < n_pairs; ++i) {
        const double extrapolated = std::pow(r.base, -2.0 * i / r.n_dims) / static_cast<double>(factors[static_cast<size_t>(i)]);
        const double interpolated = r.scaling == RopeScaling::none ? extrapolated : extrapolated / r.factor;
        const double mix = r.scaling == RopeScaling::yarn ? yarn_mix(r, i) : 0;
        f.push_back(interpolated * (1 - mix) + extrapolated * mix);
    }
    return f;
}

}  // namespace

RopeAngles rope_angles(const Rope& rope, std::span<const int32_t> positions) {
    const bool yarn = rope.scaling == RopeScaling::yarn && rope.yarn_ext_factor != 0;
    const double magnitude = rope.yarn_attn_factor * (yarn ? 1 + 0.1 * std::log(rope.factor) : 1);
    const std::vector<double> frequency = frequencies(rope);
    RopeAngles angles;
    for (const int32_t position : positions)
        for (const double f : frequency) {
            angles.cos.push_back(std::cos(position * f) * magnitude);
            angles.sin.push_back(std::sin(position * f) * magnitude);
        }
    return angles;
}

}  // namespace kylin
