// Decides which tokens run in the next step.
#pragma once
#include <memory>
#include <span>
#include <vector>

#include "engine/sequence.h"
#include "model/batch.h"

namespace kylin {

// One forward pass. The batch views the sequences' page tables.
struct Step {
    struct Part {
        Sequence* sequence;
        int n_rows;                  // of its own tokens
        int output;                  // index of its last row among the logits; -1: its prompt goes on in a later step
        std::vector<int32_t> guess;  // further rows, each with its logits
    };
    Batch batch;
    std::vector<Part> parts;
};

// At most max_rows rows, at least one for each sequence: what is left after the answers, which need one and up to n_draft for guesses,
// the prompts share equally, and what a short prompt leaves goes to longer ones. Requires max_rows >= sequences.size().
Step plan_step(std::span<const std::unique_ptr<Sequence>> sequences, int max_rows, int n_draft = 0);

}  // namespace kylin
