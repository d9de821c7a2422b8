#include "engine/scheduler.h"

#include <algorithm>

namespace kylin {
namespace {

void add(Step& step, Sequence& sequence, int n_rows, std::span<const int32_t> guess) {
    Batch& batch = step.batch;
    const int first_row = batch.rows();
    const bool complete = n_rows == sequence.n_pending();
    const auto next = sequence.tokens().subspan(static_cast<size_t>(sequence.n_cached()), static_cast<size_t>(n_rows));
    batch.tokens.insert(batch.tokens.end(), next.begin(), next.end());
    batch.tokens.insert(batch.tokens.end(), guess.begin(), guess.end());
    const int end = batch.rows();
    batch.chunks.push_back(
        {.first_row = first_row, .n_rows = end - first_row, .first_position = sequence.n_cached(), .pages = sequence.pages()});
    step.parts.push_back({&sequence, n_rows, complete ? static_cast<int>(batch.outputs.size()) : -1, {guess.begin(), guess.end()}});
    for (int row = first_row + n_rows - 1; complete && row < end; ++row) batch.outputs.push_back(row);
}

}  // namespace

Step plan_step(std::span<const std::unique_ptr<Sequence>> sequences, int max_rows, int n_draft) {
    Step step;
    std::vector<Sequence*> order;
    for (const auto& s : sequences) order.push_back(s.get());
    // Least work first, so that each equal share is computed from what those before it really took. Answers need one row: they lead.
    std::stable_sort(order.begin(), order.end(), [](auto* a, auto* b) { return a->n_pending() < b->n_pending(); });
    const auto n_answers = static_cast<size_t>(std::count_if(order.begin(), order.end(), [](auto* s) { return s->n_pending() == 1; }));
    for (size_t i = 0; i < order.size(); ++i) {
        const int share = (max_rows - step.batch.rows()) / static_cast<int>(order.size() - i);
        add(step, *order[i], std::min(order[i]->n_pending(), share), order[i]->guess(std::min(n_draft, share - 1), n_answers));
    }
    return step;
}

}  // namespace kylin
