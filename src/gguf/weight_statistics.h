// What the values of a tensor look like: extremes, moments, broken values, and the scales of its blocks.
#pragma once
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include "gguf/block_types.h"

namespace kylin::gguf {

class WeightStatistics {
public:
    // One row of `width` values, a multiple of the block.
    void add_row(BlockType type, const std::byte* blocks, int width);
    // In the same order, the sums have the same bits.
    void merge(const WeightStatistics& other);

    uint64_t n_finite() const { return n_finite_; }
    uint64_t n_nan() const { return n_nan_; }
    uint64_t n_inf() const { return n_inf_; }
    // Of the finite values; 0 when there are none.
    double min() const { return n_finite_ ? min_ : 0; }
    double max() const { return n_finite_ ? max_ : 0; }
    double mean() const;
    double standard_deviation() const;
    // Magnitude of the finite block scales; false for types without blocks.
    bool has_scales() const { return least_scale_ <= largest_scale_; }
    double least_scale() const { return least_scale_; }
    double largest_scale() const { return largest_scale_; }

private:
    void add_scales(BlockType type, const std::byte* blocks, int width);

    uint64_t n_finite_ = 0, n_nan_ = 0, n_inf_ = 0;
    double min_ = std::numeric_limits<double>::infinity(), max_ = -min_;
    double sum_ = 0, sum_of_squares_ = 0;
    double least_scale_ = std::numeric_limits<double>::infinity(), largest_scale_ = 0;
};

}  // namespace kylin::gguf
