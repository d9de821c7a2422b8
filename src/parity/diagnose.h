// Why a trace is not what the model gives: the first stage that its own inputs do not explain is computed again under every mistake of the
// catalogue, and the one that reproduces it to rounding is named; then the next stage, with what was named taken as known.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "parity/diagnose_case.h"
#include "parity/hypotheses.h"
#include "parity/judge.h"
#include "parity/trace.h"

namespace kylin::parity {

struct Fault {
    std::string name;  // of the catalogue; "unexplained"
    Place at;          // the first place
    std::vector<Place> places;
    Phase phase = Phase::all;
    struct Named {
        std::string name, text;
        std::vector<double> values;
        std::optional<double> expected;
        Parameter::Kind kind;
    };
    std::vector<Named> parameters;
    std::string explanation, fix, threads;
    struct Equivalent {
        std::string name, explanation, shows_with;
    };
    std::vector<Equivalent> equivalent;  // fit as well on these inputs
    std::vector<std::string> dumps;      // stages that would decide between them, or that hide where the fault is
    std::vector<Tried> tried;            // best first
    double before = 0, after = 0;        // relative error as is, and with the fault
    struct Element {
        int token, channel;  // of scores and probabilities the key
        std::optional<int> head;
        double theirs, as_is, with_fault;
    };
    std::vector<Element> elements;  // those that differ most as is
    bool generic = false;
    const Hypothesis* hypothesis = nullptr;
    Values values;
};

struct Diagnosis {
    std::string sentence;
    std::vector<Fault> faults;  // in the order of the forward pass
    size_t n_judged = 0;
    std::vector<std::string> missing, notes;
    bool explained() const;
};

struct DiagnoseInput {
    const Model& model;
    NumericsOptions options;
    const TraceReader& trace;
    std::string whose;  // "the reference", for the sentence
    std::function<void(const std::string& what, double share)> progress;
};

Diagnosis diagnose(const DiagnoseInput& input);

std::string_view name(Phase phase);

}  // namespace kylin::parity
