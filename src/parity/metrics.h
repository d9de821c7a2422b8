// How far two versions of one stage are apart, summed row by row. `b` is the reference.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace kylin::parity {

struct Difference {
    double max_abs = 0, mean_abs = 0, rmse = 0;
    double nmse = 0;  // sum (a - b)^2 / sum b^2
    double cosine = 1;
    double worst_row = 0;  // largest |a - b|_2 / |b|_2 of a token
    int worst_token = 0;
};

struct WorstElement {
    int token, head, channel;  // head -1 where rows are not split
    double ours, reference;
};

// Bucket 0: equal; bucket n: differs by 2^(n-1) .. 2^n - 1 F32 ulps; the last takes the rest.
inline constexpr size_t ulp_buckets = 34;
using UlpHistogram = std::array<uint64_t, ulp_buckets>;

class DifferenceSum {
public:
    DifferenceSum(size_t n_tokens, int n_heads) : tokens_(n_tokens), heads_(static_cast<size_t>(n_heads)) {}
    // A token's values, or those of one head; head -1: of all heads, side by side.
    void add(int token, int head, std::span<const double> a, std::span<const double> b);

    Difference result() const;
    const UlpHistogram& ulps() const { return ulps_; }
    std::vector<double> per_token() const;  // relative L2 errors
    std::vector<double> per_head() const;
    std::span<const WorstElement> worst() const { return worst_; }  // worst first, at most 8
    // NMSE without the largest |b| of every 256 values; NaN where rows are shorter than that.
    double non_outlier_nmse() const;

private:
    struct Square {
        double error = 0, size = 0;
        double relative() const;
    };
    void keep_worst(const WorstElement& element);
    void add_without_outlier(std::span<const double> a, std::span<const double> b);

    std::vector<Square> tokens_, heads_;
    Square all_, without_outliers_;
    double sum_abs_ = 0, max_abs_ = 0, aa_ = 0, ab_ = 0;
    size_t n_ = 0;
    UlpHistogram ulps_{};
    std::vector<WorstElement> worst_;
};

struct Summary {
    double mean = 0, std = 0, min = 0, max = 0;  // of the finite values
    uint64_t nan = 0, inf = 0;
    double headroom = 0;  // log2(65504 / largest magnitude): bits left before F16 overflows
};

class SummarySum {
public:
    void add(std::span<const double> x);
    Summary result() const;

private:
    double sum_ = 0, squares_ = 0, min_ = 0, max_ = 0;
    uint64_t n_ = 0, nan_ = 0, inf_ = 0;
};

}  // namespace kylin::parity
