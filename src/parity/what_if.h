// The catalogue as interventions: a mistake made on purpose in a right engine, to see what it does.
#pragma once
#include <string>
#include <vector>

#include "parity/hypotheses.h"
#include "parity/record.h"

namespace kylin::parity {

struct Intervention {
    const Hypothesis* hypothesis;
    Values values;
    Where where;
    std::vector<Stage> stages;
};

// NAME[=VALUE[,VALUE]][@PLACE]: a name of the catalogue, or a short one ("rope=norm"); numbers, tensors and forms by name; a layer ("3"), a
// stage of every layer ("ffn_norm") or of one ("ffn_norm.3"), or wherever it can act. Throws InputError that lists what is missing or
// unknown.
Intervention intervention(const Model& model, const std::string& text);
// "RoPE base 10000 instead of 1000000, in layer 3".
std::string explain(const Model& model, const Intervention& what);

// Runs float64 with the interventions, and writes the stages down. Throws InputError where one makes no sense for this model.
std::vector<int32_t> record_with(const std::vector<Intervention>& list, const Run& run, int n_threads, const Recording& to);

}  // namespace kylin::parity
