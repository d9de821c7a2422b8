// A logit lens: what the output of each layer would predict, were it the last (nostalgebraist, "interpreting GPT: the logit lens", 2020).
#pragma once
#include <vector>

#include "model/model.h"
#include "parity/trace.h"

namespace kylin::parity {

// The top token of every layer's output at the last token, through the head in float64. Empty when the trace lacks a layer's output.
std::vector<int> lens(const Model& model, const TraceReader& trace, int n_threads);

}  // namespace kylin::parity
