// What parity looks through: one probe that records stages, and one that also puts a reference's values in their place.
#pragma once
#include <functional>
#include <set>

#include "model/probe.h"
#include "parity/trace.h"

namespace kylin::parity {

// Keeps every stage it wants; rows of later steps follow those of earlier ones.
class Recorder : public Probe {
public:
    // Without scores and probabilities, which are large and unfuse attention.
    Recorder();
    explicit Recorder(std::set<Stage> stages) : stages_(std::move(stages)) {}
    bool wants(Stage stage, int layer) const override;
    bool visit(const Visit& visit) override;
    std::map<std::string, TraceTensor> take() { return std::move(tensors_); }

private:
    std::set<Stage> stages_;
    std::map<std::string, TraceTensor> tensors_;
};

// Records one's own value, then goes on with the reference's: what is recorded is every stage's local error, in one pass.
class Forcer : public Recorder {
public:
    explicit Forcer(const Trace& reference) : reference_(reference) {}
    bool visit(const Visit& visit) override;

private:
    const Trace& reference_;
    std::map<std::string, size_t> used_;  // values of the reference already put in place
};

}  // namespace kylin::parity
