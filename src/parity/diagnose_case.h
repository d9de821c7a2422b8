// One place that its own inputs do not explain, and whether guesses at mistakes do.
#pragma once
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "parity/diagnose_spot.h"

namespace kylin::parity {

// One mistake of the catalogue with its values, at stages of its own.
struct Guess {
    const Hypothesis* hypothesis;
    Values values;
    std::vector<Stage> stages;
};

// Guesses that explain a place together.
struct Explanation {
    std::vector<Guess> guesses;
    Where where;
    double error = 0;  // squared, of the rows that diverge
    Fit fit;
};

struct Suspect {
    Place at;
    std::vector<double> row_bounds;
    std::vector<bool> bad_rows;  // of the tokens; empty: found by the spot
    bool finite = true;
};

struct Tried {
    std::string name;  // "as is" for the model's own formula
    double ratio;      // largest difference over what rounding may do
    double error;      // relative L2
};

bool touches(const Hypothesis& h, Stage s);

// Of a place the rows that diverge alone: a parameter is solved for where it was mistaken.
class Diverging final : public Evidence {
public:
    Diverging(const Spot& spot, const std::vector<bool>& bad);
    const Model& model() const override { return spot_.model(); }
    Place at() const override { return spot_.at(); }
    int n_prompt() const override { return spot_.n_prompt(); }
    std::vector<int> tokens() const override;
    const std::vector<double>& theirs() const override { return theirs_; }
    const std::vector<double>& as_is() const override { return as_is_; }
    size_t width() const override { return spot_.width(); }
    std::vector<double> rows_of(Stage s) const override { return chosen(spot_.rows_of(s)); }

private:
    std::vector<double> chosen(const std::vector<double>& rows) const;

    const Spot& spot_;
    const std::vector<bool>& bad_;
    std::vector<double> theirs_, as_is_;
};

class Case {
public:
    Case(const SpotInput& in, const Suspect& suspect, Spot& spot);
    bool diverges() const;
    const std::set<int>& layers() const { return layers_; }
    Spot& spot() { return spot_; }
    Diverging evidence() const { return {spot_, bad_}; }
    const std::vector<Tried>& tried() const { return tried_; }

    std::vector<Mistake> mistakes(const std::vector<Guess>& guesses, const Where& where) const;
    // Tries guesses, and says in which phase they explain the place.
    std::optional<Explanation> explain(const std::vector<Guess>& guesses, Where where, bool sampled);
    // Squared error over the rows that diverge.
    double error(const Fit& fit, Phase phase = Phase::all) const;
    std::optional<double> error_of(const std::vector<Guess>& guesses, const Where& where) const;

private:
    bool is_decode(size_t r) const { return tokens_[r] >= spot_.n_prompt(); }
    bool in(Phase phase, size_t r) const { return phase == Phase::all || (phase == Phase::decode) == is_decode(r); }
    std::vector<Phase> phases() const;
    Fit of_phase(Fit fit, Phase phase) const;
    double size(Phase phase) const;  // squared, of the rows that diverge
    bool explains(const Fit& fit, Phase phase, bool rounds = false) const;
    std::optional<Explanation> in_some_phase(const std::vector<Guess>& guesses, const Where& where, const Fit& fit) const;
    std::optional<Explanation> tried_by_phase(const std::vector<Guess>& guesses, Where where, bool sampled) const;
    void note(const std::vector<Guess>& guesses, const Fit& fit);

    const SpotInput& in_;
    Spot& spot_;
    std::vector<int> tokens_;
    std::vector<bool> bad_;
    std::set<int> layers_;
    std::vector<Tried> tried_;
};

}  // namespace kylin::parity
