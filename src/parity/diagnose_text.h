// The words of a diagnosis: a sentence to act on, the evidence, and JSON.
#pragma once
#include <string>

#include "parity/diagnose.h"

namespace kylin::parity {

Fault describe(const Model& model, const Hypothesis& h, const Values& values, const Place& at);
// Fills the sentence and the notes.
void describe_all(Diagnosis& diagnosis, const DiagnoseInput& input);

// "q_rope, k_rope of layers 0-27".
std::string places_text(const std::vector<Place>& places);

std::string to_json(const Diagnosis& diagnosis);
std::string to_text(const Diagnosis& diagnosis);

}  // namespace kylin::parity
