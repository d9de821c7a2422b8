// Where the error of the logits comes from: each source is measured by switching only that one off, or on.
#pragma once
#include <filesystem>
#include <functional>

#include "model/model.h"
#include "numerics/make.h"
#include "numerics/rounding.h"
#include "parity/report.h"
#include "parity/trace.h"

namespace kylin::parity {

struct Distance {
    double relative_error = 0;  // L2 over all logits of all tokens, relative to b
    double kl = 0;              // mean KL(b || a) of a token, in nats
};
// Of two runs of the same tokens; both hold logits of every token.
Distance logit_distance(const TraceReader& a, const TraceReader& b);

struct LedgerInput {
    const Model& model;
    NumericsOptions ours;
    TraceAbout about;  // tokens and n_prompt
    std::filesystem::path folder;
    std::function<void(const std::string& what, double share)> progress;
};

// Our sources. The oracle runs with all our declared roundings, and with each left out; what is left between the first and our own run is
// the order and width of sums. Four runs of the oracle.
std::vector<LedgerEntry> our_ledger(const LedgerInput& input);

// Weight quantization: the oracle on this model against the oracle on the same model with F32 weights.
LedgerEntry weight_ledger(const LedgerInput& input, const Model& f32_model);

}  // namespace kylin::parity
