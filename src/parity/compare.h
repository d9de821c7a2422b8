// Compares a run of Kylin with a reference's trace of the same tokens, stage by stage, in one pass of each kind:
//   free      both engines as they are: the accumulated error;
//   forced    Kylin with the reference's values in place of every stage: the local error;
//   oracle    float64: which of the two is nearer to the truth;
//   certified each engine's own inputs, with a sound bound: whether a difference can be rounding at all.
// Rows stream through files in a working folder: memory holds one stage of 64 rows, never a run.
#pragma once
#include <filesystem>
#include <functional>

#include "model/model.h"
#include "numerics/make.h"
#include "parity/report.h"
#include "parity/trace.h"

namespace kylin::parity {

struct CompareInput {
    const Model& model;
    NumericsOptions ours;  // n_pages is set by the comparison
    const TraceReader& reference;
    std::filesystem::path folder;  // exists; for traces as large as the run
    std::function<void(const std::string& what, double share)> progress;
};

// Throws InputError when the trace cannot be compared: other shapes, tokens outside the vocabulary, no stage in common, a trace in which
// the comparison cannot see a difference that was put there.
Report compare(const CompareInput& input);

}  // namespace kylin::parity
