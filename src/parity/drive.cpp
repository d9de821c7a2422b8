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

Value drive_step(Numerics& math, const Model& model, std::span<const int32_t> tokens, const RunStep& step, std::span<const int32_t> pages) {
    const auto rows = tokens.subspan(static_cast<size_t>(step.first), static_cast<size_t>(step.n));
    Batch batch{.tokens = {rows.begin(), rows.end()},
                .chunks = {{.first_row = 0, .n_rows = step.n, .first_position = step.first, .pages = pages}},
                .outputs = {}};
    for (int r = std::max(0, step.first_output - step.first); r < step.n; ++r) batch.outputs.push_back(r);
    return model.forward(math, batch);
}

int n_tokens(const Run& run) { return static_cast<int>(run.tokens.size()) + run.n_greedy; }

int pages_for(int n_tokens) { return (n_tokens + page_positions - 1) / page_positions; }

std::vector<int32_t> drive(Numerics& math, const Run& run, StepProbe* probe) {
    std::vector<int32_t> tokens = run.tokens, pages(static_cast<size_t>(pages_for(n_tokens(run))));
    std::iota(pages.begin(), pages.end(), 0);
    math.attach(probe);
    for (int first = 0, n = 0; first < n_tokens(run); first += n) {
        n = std::clamp(run.n_prompt - first, 1, page_positions);
        if (probe) probe->begin_step(first);
        const Value logits = drive_step(math, run.model, tokens, {.first = first, .n = n}, pages);
        if (first + n == static_cast<int>(tokens.size()) && first + n < n_tokens(run)) tokens.push_back(greedy(math, logits));
    }
    math.attach(nullptr);
    return tokens;
}

}  // namespace kylin::parity
