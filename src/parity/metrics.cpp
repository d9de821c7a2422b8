#include "parity/metrics.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace kylin::parity {
namespace {

constexpr size_t n_worst = 8, outlier_block = 256;
constexpr double f16_max = 65504;

// Floats in order of their value: neighbours differ by 1.
int64_t ordinal(double x) {
    const auto bits = std::bit_cast<int32_t>(static_cast<float>(x));
    return bits < 0 ? -static_cast<int64_t>(bits & 0x7fffffff) : bits;
}

size_t ulp_bucket(double a, double b) {
    if (std::isnan(a) || std::isnan(b)) return ulp_buckets - 1;
    const int64_t distance = ordinal(a) - ordinal(b);
    return std::min<size_t>(std::bit_width(static_cast<uint64_t>(distance < 0 ? -distance : distance)), ulp_buckets - 1);
}

double magnitude(double x) { return std::isnan(x) ? std::numeric_limits<double>::infinity() : std::fabs(x); }

}  // namespace

double DifferenceSum::Square::relative() const { return error == 0 ? 0 : std::sqrt(error) / std::sqrt(size); }

void DifferenceSum::add(int token, int head, std::span<const double> a, std::span<const double> b) {
    const size_t n_heads = heads_.size(), head_width = head >= 0 ? a.size() : a.size() / n_heads;
    for (size_t i = 0; i < a.size(); ++i) {
        const double delta = magnitude(a[i] - b[i]), error = delta * delta, size = b[i] * b[i];
        const size_t h = head >= 0 ? static_cast<size_t>(head) : std::min(i / head_width, n_heads - 1);
        for (Square* s : {&tokens_[static_cast<size_t>(token)], &heads_[h], &all_}) s->error += error, s->size += size;
        ab_ += a[i] * b[i];
        aa_ += a[i] * a[i];
        sum_abs_ += delta;
        max_abs_ = std::max(max_abs_, delta);
        ++ulps_[ulp_bucket(a[i], b[i])];
        if (delta > 0 && (worst_.size() < n_worst || delta > magnitude(worst_.back().ours - worst_.back().reference)))
            keep_worst({token, n_heads > 1 ? static_cast<int>(h) : -1, static_cast<int>(i % head_width), a[i], b[i]});
    }
    n_ += a.size();
    add_without_outlier(a, b);
}

void DifferenceSum::keep_worst(const WorstElement& element) {
    const auto size = [](const WorstElement& e) { return magnitude(e.ours - e.reference); };
    const auto at = std::ranges::upper_bound(worst_, size(element), std::ranges::greater(), size);
    worst_.insert(at, element);
    if (worst_.size() > n_worst) worst_.pop_back();
}

void DifferenceSum::add_without_outlier(std::span<const double> a, std::span<const double> b) {
    for (size_t first = 0; first + outlier_block <= b.size(); first += outlier_block) {
        size_t largest = first;
        for (size_t i = first; i < first + outlier_block; ++i)
            if (std::fabs(b[i]) > std::fabs(b[largest])) largest = i;
        for (size_t i = first; i < first + outlier_block; ++i) {
            if (i == largest) continue;
            without_outliers_.error += (a[i] - b[i]) * (a[i] - b[i]);
            without_outliers_.size += b[i] * b[i];
        }
    }
}

Difference DifferenceSum::result() const {
    Difference d;
    if (n_ == 0) return d;
    d.max_abs = max_abs_;
    d.mean_abs = sum_abs_ / static_cast<double>(n_);
    d.rmse = std::sqrt(all_.error / static_cast<double>(n_));
    d.nmse = all_.error == 0 ? 0 : all_.error / all_.size;
    d.cosine = all_.size == 0 && aa_ == 0 ? 1 : ab_ / (std::sqrt(aa_) * std::sqrt(all_.size));
    for (size_t t = 0; t < tokens_.size(); ++t)
        if (!(tokens_[t].relative() <= d.worst_row)) d.worst_row = tokens_[t].relative(), d.worst_token = static_cast<int>(t);
    return d;
}

std::vector<double> DifferenceSum::per_token() const {
    std::vector<double> errors;
    for (const Square& s : tokens_) errors.push_back(s.relative());
    return errors;
}

std::vector<double> DifferenceSum::per_head() const {
    std::vector<double> errors;
    for (const Square& s : heads_) errors.push_back(s.relative());
    return errors;
}

double DifferenceSum::non_outlier_nmse() const {
    if (without_outliers_.error == 0 && without_outliers_.size == 0) return std::numeric_limits<double>::quiet_NaN();
    return without_outliers_.error == 0 ? 0 : without_outliers_.error / without_outliers_.size;
}

void SummarySum::add(std::span<const double> values) {
    for (const double x : values) {
        nan_ += std::isnan(x);
        inf_ += std::isinf(x);
        if (!std::isfinite(x)) continue;
        min_ = n_ == 0 ? x : std::min(min_, x);
        max_ = n_ == 0 ? x : std::max(max_, x);
        sum_ += x;
        squares_ += x * x;
        ++n_;
    }
}

Summary SummarySum::result() const {
    Summary s{.min = min_, .max = max_, .nan = nan_, .inf = inf_};
    if (n_ == 0) return s;
    s.mean = sum_ / static_cast<double>(n_);
    s.std = std::sqrt(std::max(0.0, squares_ / static_cast<double>(n_) - s.mean * s.mean));
    const double largest = inf_ ? std::numeric_limits<double>::infinity() : std::max(std::fabs(min_), std::fabs(max_));
    s.headroom = std::log2(f16_max / largest);
    return s;
}

}  // namespace kylin::parity
