#include "parity/lens.h"

#include <algorithm>
#include <numeric>

#include "numerics/make.h"
#include "parity/drive.h"

namespace kylin::parity {
namespace {

// hidden: [n_layer, n_embd]; each row through the head.
std::vector<int> tops_of(const Model& model, const std::vector<double>& hidden, int n_threads) {
    const Config& config = model.config();
    const int n = config.n_layer;
    const auto math = make_numerics(model, {.kind = NumericsKind::oracle, .n_pages = 1, .n_threads = n_threads});
    const std::vector<int32_t> pages(static_cast<size_t>(pages_for(n)), 0);
    Batch batch{.tokens = std::vector<int32_t>(static_cast<size_t>(n), 0),
                .chunks = {{.first_row = 0, .n_rows = n, .first_position = 0, .pages = pages}},
                .outputs = {}};
    math->begin(batch);
    const Value logits = model.head(*math, math->put({Stage::layer_out, n, config.n_embd}, hidden));
    std::vector<int> tops;
    std::vector<float> row(static_cast<size_t>(config.n_vocab));
    for (int r = 0; r < n; ++r) {
        math->read_row(logits, r, row);
        tops.push_back(static_cast<int>(std::ranges::max_element(row) - row.begin()));
    }
    return tops;
}

}  // namespace

std::vector<int> lens(const Model& model, const TraceReader& trace, int n_threads) {
    const Config& config = model.config();
    std::vector<double> hidden;
    const auto width = static_cast<size_t>(config.n_embd);
    for (int layer = 0; layer < config.n_layer; ++layer) {
        const TraceTensor* tensor = trace.find(trace_name(Stage::layer_out, layer));
        std::vector<double> row(width);
        const int last = static_cast<int>(trace.n_tokens()) - 1;
        const Segment segment{.token = last, .head = -1, .first = static_cast<size_t>(last) * width, .values = row};
        const auto values = tensor ? read_segment(trace, *tensor, segment) : std::nullopt;
        if (!values) return {};
        hidden.insert(hidden.end(), values->begin(), values->end());
    }
    return tops_of(model, hidden, n_threads);
}

}  // namespace kylin::parity
