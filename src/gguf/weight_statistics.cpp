// Sums in double: weights are near zero, so nothing is lost by subtracting the squared mean.
#include "gguf/weight_statistics.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <vector>

#include "gguf/block_codec.h"

namespace kylin::gguf {
namespace {

// Where the F16 scale lies in a block.
std::optional<size_t> scale_offset(BlockType type) {
    switch (type) {
        case BlockType::f32:
        case BlockType::f16:
        case BlockType::bf16:
            return std::nullopt;
        case BlockType::q2_k:
            return offsetof(BlockQ2_K, d);
        case BlockType::q3_k:
            return offsetof(BlockQ3_K, d);
        case BlockType::q6_k:
            return offsetof(BlockQ6_K, d);
        case BlockType::q4_0:
        case BlockType::q4_1:
        case BlockType::iq4_nl:
        case BlockType::q5_0:
        case BlockType::q5_1:
        case BlockType::q8_0:
        case BlockType::q4_k:
        case BlockType::q5_k:
            return 0;
    }
    return std::nullopt;
}

}  // namespace

void WeightStatistics::add_row(BlockType type, const std::byte* blocks, int width) {
    std::vector<float> values(static_cast<size_t>(width));
    dequantize_row(type, blocks, values.data(), width);
    for (const float v : values) {
        if (std::isnan(v)) {
            ++n_nan_;
        } else if (std::isinf(v)) {
            ++n_inf_;
        } else {
            const double x = v;
            ++n_finite_;
            min_ = std::min(min_, x);
            max_ = std::max(max_, x);
            sum_ += x;
            sum_of_squares_ += x * x;
        }
    }
    add_scales(type, blocks, width);
}

void WeightStatistics::add_scales(BlockType type, const std::byte* blocks, int width) {
    const auto offset = scale_offset(type);
    if (!offset) return;
    const size_t bytes = info(type).bytes, n = static_cast<size_t>(width) / info(type).values;
    for (size_t b = 0; b < n; ++b) {
        uint16_t half = 0;
        std::memcpy(&half, blocks + b * bytes + *offset, sizeof half);
        const double scale = std::fabs(f16_to_f32(half));
        if (!std::isfinite(scale)) continue;
        least_scale_ = std::min(least_scale_, scale);
        largest_scale_ = std::max(largest_scale_, scale);
    }
}

void WeightStatistics::merge(const WeightStatistics& other) {
    n_finite_ += other.n_finite_;
    n_nan_ += other.n_nan_;
    n_inf_ += other.n_inf_;
    min_ = std::min(min_, other.min_);
    max_ = std::max(max_, other.max_);
    sum_ += other.sum_;
    sum_of_squares_ += other.sum_of_squares_;
    least_scale_ = std::min(least_scale_, other.least_scale_);
    largest_scale_ = std::max(largest_scale_, other.largest_scale_);
}

double WeightStatistics::mean() const { return n_finite_ ? sum_ / static_cast<double>(n_finite_) : 0; }

double WeightStatistics::standard_deviation() const {
    if (n_finite_ == 0) return 0;
    return std::sqrt(std::max(0.0, sum_of_squares_ / static_cast<double>(n_finite_) - mean() * mean()));
}

}  // namespace kylin::gguf
