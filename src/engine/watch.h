// Looks at the values of single requests while they run among others: the largest magnitude of each stage and layer, and what is not
// finite.
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "model/batch.h"
#include "model/probe.h"

namespace kylin {

class Activations {
public:
    struct Cell {
        double largest = -1;  // magnitude of the finite values; -1: there was none
        uint64_t nan = 0, inf = 0;
    };
    void add(Stage stage, int layer, std::span<const double> values);
    void add(const Activations& other);
    // One for each layer, one alone for a stage of scope once; empty where the stage was never seen.
    std::span<const Cell> of(Stage stage) const { return cells_[static_cast<size_t>(stage)]; }

private:
    Cell& at(size_t stage, size_t layer);
    std::array<std::vector<Cell>, n_stages> cells_;
};

// The probe of one step. Scores and probabilities are left out: they are quadratic in the tokens, and attention never holds them.
class StepWatch final : public Probe {
public:
    // whose[i] gets the values of the batch's chunk i; nullptr: nobody does. All must outlive the step.
    StepWatch(const Batch& batch, std::vector<Activations*> whose) : batch_(batch), whose_(std::move(whose)) {}
    bool wants(Stage stage, int) const override { return stage != Stage::attn_scores && stage != Stage::attn_probs; }
    bool visit(const Visit& visit) override;

private:
    const Batch& batch_;
    std::vector<Activations*> whose_;
};

}  // namespace kylin
