#include "parity/judge.h"

#include <algorithm>
#include <cmath>

#include "numerics/certified.h"
#include "parity/declared.h"
#include "parity/probes.h"
#include "parity/record.h"

namespace kylin::parity {
namespace {

// Puts the trace's values in place of every stage, after comparing.
class Judge : public StepProbe {
public:
    Judge(const TraceReader& trace, const RunShape& run, const Certified& math, int n_layer)
        : trace_(trace), run_(run), math_(math), n_layer_(n_layer) {}
    bool wants(Stage stage, int layer) const override { return trace_.find(trace_name(stage, layer)) != nullptr; }

    bool visit(const Visit& v) override {
        const TraceTensor& tensor = *trace_.find(trace_name(v.stage, v.layer));
        check_shape(trace_, tensor, v, run_);
        const bool judged = has_inputs({v.stage, v.layer});
        const Certified::Bound& bound = math_.bound(v.stage);
        for (const Segment& s : segments_of(v, first_token(), run_)) {
            const auto theirs = read_segment(trace_, tensor, s);
            if (!theirs) continue;
            if (judged) add(v, bound, s, *theirs);
            std::ranges::copy(*theirs, s.values.begin());
        }
        return true;
    }
    Judgement take() { return std::move(judgement_); }

private:
    bool has_inputs(const Place& at) const {
        const auto inputs = inputs_of(at, n_layer_);
        return std::ranges::all_of(inputs, [&](const Place& p) { return wants(p.stage, p.layer); });
    }
    void add(const Visit& v, const Certified::Bound& bound, const Segment& s, std::span<const double> theirs) {
        Judged& j = judgement_[trace_name(v.stage, v.layer)];
        j.weights = math_.weight_type(v.stage);
        j.row_bounds.resize(run_.n_tokens), j.row_ratios.resize(run_.n_tokens);
        double &row_bound = j.row_bounds[static_cast<size_t>(s.token)], &row_ratio = j.row_ratios[static_cast<size_t>(s.token)];
        const auto at = static_cast<size_t>(s.values.data() - v.values.data());
        for (size_t i = 0; i < theirs.size(); ++i) {
            const double off = std::fabs(theirs[i] - s.values[i]), sums = bound.sums[at + i];
            const double sources = bound.sources.empty() ? 0 : bound.sources[at + i];
            const auto over = [&](double limit) { return off == 0 ? 0 : std::isnan(off) || limit == 0 ? HUGE_VAL : off / limit; };
            j.ratio = std::max(j.ratio, over(sums));
            row_bound = std::max(row_bound, sums + sources);
            row_ratio = std::max(row_ratio, over(sums + sources));
            j.bound_squares += sums * sums;
        }
        j.ratio_with_sources = std::max(j.ratio_with_sources, row_ratio);
        j.n += theirs.size();
    }

    const TraceReader& trace_;
    const RunShape& run_;
    const Certified& math_;
    int n_layer_;
    Judgement judgement_;
};

}  // namespace

Judgement judge(const Model& model, const NumericsOptions& options, const TraceReader& trace, std::function<void(double)> progress) {
    const Run run{model, trace.about().tokens, trace.about().n_prompt};
    const RunShape shape{trace.n_tokens(), model.config().attention};
    Certified math(model, {.kind = NumericsKind::oracle, .n_pages = pages_for(n_tokens(run)), .n_threads = options.n_threads},
                   declared_by(trace.about()));
    Judge probe(trace, shape, math, model.config().n_layer);
    Progress watched(probe, shape.n_tokens, model.config().n_layer, std::move(progress));
    drive(math, run, &watched);
    return probe.take();
}

}  // namespace kylin::parity
