// What parity looks through: probes that write a run down, put a reference's values in its place, and compare on the way.
#pragma once
#include <functional>
#include <set>

#include "parity/rows.h"
#include "parity/trace.h"

namespace kylin::parity {

// Every stage but scores and probabilities, which are quadratic in the tokens and unfuse attention.
std::set<Stage> linear_stages();

// Writes every stage it wants to a trace.
class Recorder : public StepProbe {
public:
    Recorder(TraceWriter& writer, const RunShape& run, std::set<Stage> stages) : writer_(writer), run_(run), stages_(std::move(stages)) {}
    bool wants(Stage stage, int) const override { return stages_.contains(stage); }
    bool visit(const Visit& v) override;

private:
    TraceWriter& writer_;
    const RunShape& run_;
    std::set<Stage> stages_;
};

// Shows the run's own values and the trace's of the stages that the trace holds; then, when forcing, goes on with the trace's. A forced run
// shows every stage's local error in one pass.
class Forcer : public StepProbe {
public:
    // `own` and `theirs` have equal size.
    using See = std::function<void(const Visit& v, const Segment& own, std::span<const double> theirs)>;
    enum class Mode : bool { watch, force };
    Forcer(const TraceReader& trace, const RunShape& run, Mode mode, See see)
        : trace_(trace), run_(run), mode_(mode), see_(std::move(see)) {}
    bool wants(Stage stage, int layer) const override { return trace_.find(trace_name(stage, layer)) != nullptr; }
    bool visit(const Visit& v) override;

private:
    const TraceReader& trace_;
    const RunShape& run_;
    Mode mode_;
    See see_;
};

// Throws InputError naming the stage when a tensor of the trace has not the shape that the model gives it.
void check_shape(const TraceReader& trace, const TraceTensor& tensor, const Visit& v, const RunShape& run);

}  // namespace kylin::parity
