#include "parity/drive.h"

#include <algorithm>
#include <numeric>

namespace kylin::parity {
namespace {

int32_t greedy(const Numerics& math, Value logits) {
    std::vector<float> row(static_cast<size_t>(logits.width));
    math.read_row(logits, logits.rows - 1, row);
    return static_cast<int32_t>(std::ranges::max_element(row) - row.begin());
}

}  // namespace

int n_tokens(const Run& run) { return static_cast<int>(run.tokens.size()) + run.n_greedy; }

int pages_for(int n_tokens) { return (n_tokens + page_positions - 1) / page_positions; }

std::vector<int32_t> drive(Numerics& math, const Run& run, StepProbe* probe) {
    std::vector<int32_t> tokens = run.tokens, pages(static_cast<size_t>(pages_for(n_tokens(run))));
    std::iota(pages.begin(), pages.end(), 0);
    math.attach(probe);
    for (int first = 0, n = 0; first < n_tokens(run); first += n) {
        n = std::clamp(run.n_prompt - first, 1, page_positions);
        if (probe) probe->begin_step(first);
        const auto start = tokens.begin() + first;
        Batch batch{.tokens = {start, start + n},
                    .chunks = {{.first_row = 0, .n_rows = n, .first_position = first, .pages = pages}},
                    .outputs = {}};
        batch.outputs.resize(static_cast<size_t>(n));
        std::iota(batch.outputs.begin(), batch.outputs.end(), 0);
        const Value logits = run.model.forward(math, batch);
        if (first + n == static_cast<int>(tokens.size()) && first + n < n_tokens(run)) tokens.push_back(greedy(math, logits));
    }
    math.attach(nullptr);
    return tokens;
}

}  // namespace kylin::parity
