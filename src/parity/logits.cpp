#include "parity/logits.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace kylin::parity {
namespace {

// log sum exp
double log_total(std::span<const double> row) {
    const double largest = *std::ranges::max_element(row);
    double sum = 0;
    for (const double x : row) sum += std::exp(x - largest);
    return largest + std::log(sum);
}

// The n largest, largest first; the least index of equals first.
std::vector<int> best(std::span<const double> row, size_t n) {
    std::vector<int> order(row.size());
    std::iota(order.begin(), order.end(), 0);
    n = std::min(n, order.size());
    std::ranges::partial_sort(order, order.begin() + static_cast<std::ptrdiff_t>(n), [&](int a, int b) {
        const double x = row[static_cast<size_t>(a)], y = row[static_cast<size_t>(b)];
        return x > y || (x == y && a < b);
    });
    order.resize(n);
    return order;
}

double share_in_common(std::span<const int> a, std::span<const int> b, size_t n) {
    n = std::min({n, a.size(), b.size()});
    const auto first = a.first(n), second = b.first(n);
    const auto common = std::ranges::count_if(first, [&](int id) { return std::ranges::find(second, id) != second.end(); });
    return static_cast<double>(common) / static_cast<double>(n);
}

}  // namespace

int top(std::span<const double> row) { return static_cast<int>(std::ranges::max_element(row) - row.begin()); }

double kl_divergence(std::span<const double> p, std::span<const double> q) {
    const double log_p = log_total(p), log_q = log_total(q);
    double sum = 0;
    for (size_t i = 0; i < p.size(); ++i) sum += std::exp(p[i] - log_p) * ((p[i] - log_p) - (q[i] - log_q));
    return std::max(sum, 0.0);  // rounding may leave -1e-17
}

LogitReport compare_logits(const std::vector<int>& tokens, const std::vector<double>& noise, const LogitRows& rows) {
    LogitReport report;
    double sum = 0, squares = 0;
    std::vector<double> ours, reference;
    const auto n = static_cast<double>(tokens.size());
    for (const int t : tokens) {
        rows(t, ours, reference);
        const double kl = kl_divergence(reference, ours);
        sum += kl, squares += kl * kl;
        if (kl > report.kl_max) report.kl_max = kl, report.kl_max_token = t;
        const auto a = best(ours, 10), b = best(reference, 10);
        report.top1 += share_in_common(a, b, 1) / n;
        report.top5 += share_in_common(a, b, 5) / n;
        report.top10 += share_in_common(a, b, 10) / n;
        const auto logit = [](const std::vector<double>& row, int id) { return row[static_cast<size_t>(id)]; };
        if (b.size() > 1) {
            const double margin = logit(reference, b[0]) - logit(reference, b[1]);
            if (t == tokens.front() || margin < report.least_margin) report.least_margin = margin, report.least_margin_token = t;
        }
        if (a[0] != b[0] && !report.first_difference)
            report.first_difference = {t, a[0], b[0], logit(ours, a[0]) - logit(ours, b[0]), noise[static_cast<size_t>(t)]};
    }
    report.kl_mean = sum / n;
    if (tokens.size() > 1) report.kl_standard_error = std::sqrt(std::max(0.0, squares / n - report.kl_mean * report.kl_mean) / (n - 1));
    return report;
}

}  // namespace kylin::parity
