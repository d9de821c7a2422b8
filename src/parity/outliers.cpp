#include "parity/outliers.h"

#include <algorithm>
#include <cmath>

namespace kylin::parity {
namespace {

// "Massive Activations in Large Language Models" (arXiv 2402.17762) calls values massive that are hundreds to thousands of times the
// median of their row. One engine lacks it when its own value there is not even a tenth.
constexpr double massive_ratio = 100, lacking_share = 0.1;
constexpr size_t most_listed = 64;

double median_magnitude(std::span<const double> x) {
    std::vector<double> magnitudes(x.size());
    std::ranges::transform(x, magnitudes.begin(), [](double v) { return std::fabs(v); });
    const auto middle = magnitudes.begin() + static_cast<std::ptrdiff_t>(magnitudes.size() / 2);
    std::ranges::nth_element(magnitudes, middle);
    return *middle;
}

size_t largest_at(std::span<const double> x) {
    return static_cast<size_t>(std::ranges::max_element(x, {}, [](double v) { return std::fabs(v); }) - x.begin());
}

}  // namespace

void OutlierWatch::look(const Place& at, int token, std::span<const double> ours, std::span<const double> reference) {
    const auto finite = [](double x) { return std::isfinite(x); };
    if (!report_.first_not_finite) {
        if (!std::ranges::all_of(reference, finite))
            report_.first_not_finite = {false, at, token};
        else if (!std::ranges::all_of(ours, finite))
            report_.first_not_finite = {true, at, token};
    }
    if (at.stage != Stage::layer_out || report_.massive.size() >= most_listed) return;
    const size_t a = largest_at(ours), b = largest_at(reference);
    const bool in_ours = std::fabs(ours[a]) > massive_ratio * median_magnitude(ours);
    const bool in_reference = std::fabs(reference[b]) > massive_ratio * median_magnitude(reference);
    if (!in_ours && !in_reference) return;
    const size_t i = in_reference ? b : a;
    using State = Massive::State;
    const double own = std::fabs(ours[i]), theirs = std::fabs(reference[i]);
    const State state = own < lacking_share * theirs   ? State::missing_in_ours
                        : theirs < lacking_share * own ? State::missing_in_reference
                                                       : State::both;
    report_.massive.push_back({at.layer, token, static_cast<int>(i), ours[i], reference[i], state});
}

void OutlierWatch::finish(const Cell& cell) {
    if (cell.ours.headroom >= report_.least_headroom) return;
    report_.least_headroom = cell.ours.headroom;
    report_.least_headroom_at = {cell.stage, cell.layer};
}

}  // namespace kylin::parity
