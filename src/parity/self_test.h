// Before a comparison is believed: it must find no difference between the trace and itself, and see one in a shuffled and a perturbed copy.
#pragma once
#include <string>
#include <vector>

#include "parity/trace.h"

namespace kylin::parity {

// Throws InputError naming the stage when the comparison is blind there. Returns the stages whose sampled row is constant, in which a
// shuffle changes nothing.
std::vector<std::string> self_test(const TraceReader& trace);

}  // namespace kylin::parity
