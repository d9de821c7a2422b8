// One place of a trace, looked at closely: the place is computed again from the trace's own values before it, as the model says and with
// mistakes, and compared with the trace.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "parity/altered.h"
#include "parity/hypotheses.h"
#include "parity/probes.h"
#include "parity/trace.h"

namespace kylin::parity {

struct SpotInput {
    const Model& model;
    const NumericsOptions& options;
    const TraceReader& trace;
    const Rounding& rounding;
};

// How well some mistakes explain a place.
struct Fit {
    std::vector<double> row_ratio;                // largest difference of a row over what rounding may do to it
    std::vector<size_t> row_counted, row_within;  // values that are not zero in both, and those of them that rounding may explain
    std::vector<double> row_error, row_size;      // squared
    double error() const;                         // relative L2 error of all rows
    double worst() const;
};

class Spot final : public Evidence {
public:
    // `row_bounds` are of the tokens: what rounding may do to a row; empty: found by perturbing the stages in between.
    Spot(const SpotInput& input, Place at, std::vector<double> row_bounds);

    const Model& model() const override { return in_.model; }
    Place at() const override { return at_; }
    int n_prompt() const override { return in_.trace.about().n_prompt; }
    std::vector<int> tokens() const override { return tokens_; }
    const std::vector<double>& theirs() const override { return theirs_; }
    const std::vector<double>& as_is() const override { return as_is_; }
    size_t width() const override { return width_; }
    std::vector<double> rows_of(Stage s) const override;

    // Stages that are computed here: the place's own, and those before it that the trace lacks.
    const std::vector<Place>& region() const { return region_; }
    bool is_exact() const { return region_.size() == 1; }
    const Fit& clean() const { return clean_; }

    // Throws NotApplicable. `sampled`: of a product with a matrix, some outputs only.
    Fit test(const std::vector<Mistake>& mistakes, bool sampled) const;
    // The same of all values, where what rounding may do is found by perturbing the mistaken formula itself: its sums may cancel where
    // those of the model do not.
    Fit test_by_its_own_rounding(const std::vector<Mistake>& mistakes) const;
    std::vector<double> values(const std::vector<Mistake>& mistakes, bool sampled) const;
    // Makes the values with these mistakes what the place is compared with from now on, so that a further one can be solved for.
    void assume(const std::vector<Mistake>& mistakes);

private:
    void find_region();
    bool in_region(Stage s, int layer) const;
    std::vector<double> run(Altered& math) const;
    Fit fit(const std::vector<double>& values, bool sampled) const;
    std::vector<double> perturbed(const std::vector<Mistake>& mistakes, const std::vector<double>& values) const;
    void choose_sample();

    const SpotInput& in_;
    Place at_;
    std::vector<Place> region_;
    std::vector<int> tokens_;  // of the rows
    std::vector<double> theirs_, as_is_;
    std::vector<double> bounds_;  // by row
    std::vector<double> sizes_;   // largest magnitude of a row as the model says
    size_t width_ = 0, rows_ = 0;
    std::vector<int> sample_;  // outputs
    Fit clean_;
};

}  // namespace kylin::parity
