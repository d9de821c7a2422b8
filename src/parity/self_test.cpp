#include "parity/self_test.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "parity/metrics.h"

namespace kylin::parity {
namespace {

double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
    DifferenceSum sum(1, 1);
    sum.add(0, -1, a, b);
    return sum.result().max_abs;
}

// The last row: where attention sees every key.
std::vector<double> last_row(const TraceReader& trace, const TraceTensor& tensor) {
    std::vector<double> row(tensor.shape.empty() ? 0 : tensor.shape.back());
    if (tensor.n_values() >= row.size() && !row.empty()) trace.read(tensor, tensor.n_values() - row.size(), row);
    return row;
}

}  // namespace

std::vector<std::string> self_test(const TraceReader& trace) {
    std::vector<std::string> constant;
    for (const auto& [name, tensor] : trace.tensors()) {
        const std::vector<double> row = last_row(trace, tensor);
        if (row.size() < 2 || !std::ranges::all_of(row, [](double x) { return std::isfinite(x); })) continue;
        const auto refuse = [&, &stage = name](const char* what) {
            throw InputError(trace.path().string(), "self-test: stage " + stage + " " + what);
        };
        if (largest_difference(row, row) != 0) refuse("differs from itself");
        std::vector<double> perturbed = row;
        perturbed[row.size() / 2] += 1e-3 * std::max(1.0, std::fabs(row[row.size() / 2]));
        if (!(largest_difference(perturbed, row) > 0)) refuse("hides a changed value");
        const std::vector<double> shuffled(row.rbegin(), row.rend());
        if (shuffled == row)
            constant.push_back(name);
        else if (!(largest_difference(shuffled, row) > 0))
            refuse("hides a shuffle");
    }
    return constant;
}

}  // namespace kylin::parity
