// The one way to look into a forward pass, or to put other numbers into it. Absent, it costs one branch per stage.
#pragma once
#include <span>

#include "model/stages.h"

namespace kylin {

// A visited stage: row-major [rows, width]. Scores and probabilities: rows = n_heads * n_tokens, width = n_keys.
struct Visit {
    Stage stage;
    int layer;  // 0 for stages of scope once
    int rows, width;
    std::span<double> values;
};

class Probe {
public:
    virtual ~Probe() = default;
    virtual bool wants(Stage stage, int layer) const = 0;
    // Returns whether it wrote to `values`; then the numerics goes on with what was written.
    virtual bool visit(const Visit& visit) = 0;
};

}  // namespace kylin
