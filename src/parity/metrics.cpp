#include "parity/metrics.h"

#include <cmath>

#include "base/error.h"

namespace kylin::parity {
namespace {

std::string shape_text(const std::vector<size_t>& shape) {
    std::string text = "[";
    for (const size_t n : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(n);
    return text + "]";
}

double ratio(double a, double b) { return a == 0 ? 0 : a / b; }

}  // namespace

Difference difference(const std::string& stage, const TraceTensor& a, const TraceTensor& b) {
    if (a.shape != b.shape || a.values.size() != b.values.size())
        throw InputError("stage " + stage, "shape " + shape_text(a.shape) + " does not fit the reference's " + shape_text(b.shape));
    Difference d;
    const size_t width = a.shape.empty() ? 1 : a.shape.back();
    double sum_abs = 0, error = 0, aa = 0, bb = 0, ab = 0, row_error = 0, row_bb = 0;
    for (size_t i = 0; i < a.values.size(); ++i) {
        const double x = a.values[i], y = b.values[i], delta = std::fabs(x - y);
        if (!std::isfinite(x) || !std::isfinite(y)) d.finite = false;
        if (delta > d.max_abs) d.max_abs = delta, d.worst_at = i;
        sum_abs += delta;
        error += delta * delta, aa += x * x, bb += y * y, ab += x * y;
        row_error += delta * delta, row_bb += y * y;
        if ((i + 1) % width == 0) {
            d.worst_row = std::max(d.worst_row, ratio(std::sqrt(row_error), std::sqrt(row_bb)));
            row_error = row_bb = 0;
        }
    }
    if (!a.values.empty()) d.mean_abs = sum_abs / static_cast<double>(a.values.size());
    d.nmse = ratio(error, bb);
    d.cosine = aa == 0 && bb == 0 ? 1 : ratio(ab, std::sqrt(aa) * std::sqrt(bb));
    return d;
}

}  // namespace kylin::parity
