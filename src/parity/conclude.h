// From the verdicts of all stages to one sentence: where the first divergence is, and who is wrong.
#pragma once
#include "parity/report.h"

namespace kylin::parity {

// Fills first_divergence, wrong, sentence and notes of a report whose cells have their verdicts.
void conclude(Report& report);

}  // namespace kylin::parity
