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

// At most max_rows rows. Answers come first, with one row and up to n_draft guesses each. What is left is for the prompts: half of it for
// the one that came first, so that nobody waits forever, and the rest for the shortest ones, so that many are answered soon. `sequences`
// are in the order of their arrival. Requires max_rows >= sequences.size().
Step plan_step(std::span<const std::unique_ptr<Sequence>> sequences, int max_rows, int n_draft = 0);

}  // namespace kylin
