#include "engine/watch.h"

#include <algorithm>
#include <cmath>

namespace kylin {
namespace {

struct Scan {
    double largest = 0;
    bool all_finite = true;
};

// Several sums, for one maximum after the other would wait for itself: 4 times as fast.
Scan scan(std::span<const double> values) {
    constexpr size_t n_lanes = 8;
    std::array<double, n_lanes> largest{}, zeros{};
    const auto take = [&](size_t lane, double x) {
        const double size = std::fabs(x);
        largest[lane] = size > largest[lane] ? size : largest[lane];
        zeros[lane] += x * 0.0;  // NaN where x is not finite
    };
    size_t i = 0;
    for (; i + n_lanes <= values.size(); i += n_lanes)
        for (size_t lane = 0; lane < n_lanes; ++lane) take(lane, values[i + lane]);
    for (; i < values.size(); ++i) take(0, values[i]);
    return {*std::ranges::max_element(largest), std::ranges::all_of(zeros, [](double z) { return z == 0; })};
}

// Calls each(first row, number of rows, chunk): the rows of a stage belong to the chunks in their order, and are either all rows of the
// batch or, behind the last attention, only those whose logits are asked for.
template <class Each>
void for_chunks(const Batch& batch, int n_rows, Each&& each) {
    const bool all = n_rows == batch.rows();
    auto output = batch.outputs.begin();
    int first = 0;
    for (size_t i = 0; i < batch.chunks.size(); ++i) {
        const Chunk& c = batch.chunks[i];
        const auto end = std::lower_bound(output, batch.outputs.end(), c.first_row + c.n_rows);
        const int n = all ? c.n_rows : static_cast<int>(end - output);
        each(first, n, i);
        output = end;
        first += n;
    }
}

}  // namespace

Activations::Cell& Activations::at(size_t stage, size_t layer) {
    if (cells_[stage].size() <= layer) cells_[stage].resize(layer + 1);
    return cells_[stage][layer];
}

void Activations::add(Stage stage, int layer, std::span<const double> values) {
    if (values.empty()) return;
    Cell& cell = at(static_cast<size_t>(stage), static_cast<size_t>(layer));
    if (const Scan found = scan(values); found.all_finite) {
        cell.largest = std::max(cell.largest, found.largest);
        return;
    }
    for (const double x : values) {
        if (std::isfinite(x)) cell.largest = std::max(cell.largest, std::fabs(x));
        cell.nan += std::isnan(x);
        cell.inf += std::isinf(x);
    }
}

void Activations::add(const Activations& other) {
    for (size_t stage = 0; stage < n_stages; ++stage)
        for (size_t layer = 0; layer < other.cells_[stage].size(); ++layer) {
            const Cell& more = other.cells_[stage][layer];
            Cell& cell = at(stage, layer);
            cell.largest = std::max(cell.largest, more.largest);
            cell.nan += more.nan;
            cell.inf += more.inf;
        }
}

bool StepWatch::visit(const Visit& v) {
    for_chunks(batch_, v.rows, [&](int first, int n, size_t chunk) {
        const auto width = static_cast<size_t>(v.width);
        if (whose_[chunk])
            whose_[chunk]->add(v.stage, v.layer, v.values.subspan(static_cast<size_t>(first) * width, static_cast<size_t>(n) * width));
    });
    return false;
}

}  // namespace kylin
