// Runs tokens through a numerics without an engine: the prompt in steps of a page, then one token a step, every row's logits.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "model/model.h"
#include "parity/rows.h"

namespace kylin::parity {

struct Run {
    const Model& model;
    std::vector<int32_t> tokens;
    int n_prompt;      // 1 .. tokens.size(): these run in steps of up to page_positions rows, so that no step's logits are large
    int n_greedy = 0;  // further tokens, each the largest logit (the least id of equals) of the row before
};

// One step of a run: its rows, and the first row whose logits are asked for.
struct RunStep {
    int first, n, first_output = 0;
};
// Returns the logits. `tokens` are the run's so far; `pages` cover them.
Value drive_step(Numerics& math, const Model& model, std::span<const int32_t> tokens, const RunStep& step, std::span<const int32_t> pages);

int n_tokens(const Run& run);
int pages_for(int n_tokens);

// Returns the tokens that ran. The numerics needs pages_for(n_tokens(run)) pages. `probe` may be nullptr.
std::vector<int32_t> drive(Numerics& math, const Run& run, StepProbe* probe);

}  // namespace kylin::parity
