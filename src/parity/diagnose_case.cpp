#include "parity/diagnose_case.h"

#include <algorithm>
#include <cmath>

namespace kylin::parity {
namespace {

constexpr double improvement = 1.0 / 16;      // of the squared error, at least: less is no explanation
constexpr double less_improvement = 1.0 / 4;  // where no more than the rounding of a trace to F32 is left
constexpr double stored = 0x1p-48;            // the same, of the squared size
// Where a mistake rounds to few bits, the last bit of an input turns one rounding over now and then, and a sum with it. Another way to
// round reproduces hardly any value.
constexpr double least_within = 0.5;
constexpr double nearly = 1e-9;  // of the squared error: so near that the mistaken formula's own rounding is worth a look

}  // namespace

bool touches(const Hypothesis& h, Stage s) { return std::ranges::find(h.stages, s) != h.stages.end(); }

Diverging::Diverging(const Spot& spot, const std::vector<bool>& bad)
    : spot_(spot), bad_(bad), theirs_(chosen(spot.theirs())), as_is_(chosen(spot.as_is())) {}

std::vector<int> Diverging::tokens() const {
    const auto all = spot_.tokens();
    std::vector<int> list;
    for (size_t r = 0; r < all.size(); ++r)
        if (bad_[r]) list.push_back(all[r]);
    return list;
}

// `rows` are of the spot's tokens, whatever their width.
std::vector<double> Diverging::chosen(const std::vector<double>& rows) const {
    const size_t width = rows.size() / bad_.size();
    std::vector<double> list;
    for (size_t r = 0; r < bad_.size(); ++r)
        if (bad_[r])
            list.insert(list.end(), rows.begin() + static_cast<std::ptrdiff_t>(r * width),
                        rows.begin() + static_cast<std::ptrdiff_t>((r + 1) * width));
    return list;
}

Case::Case(const SpotInput& in, const Suspect& suspect, Spot& spot) : in_(in), spot_(spot), tokens_(spot.tokens()) {
    for (size_t r = 0; r < tokens_.size(); ++r)
        bad_.push_back(suspect.bad_rows.empty() ? spot.clean().row_ratio[r] > 1 : suspect.bad_rows[static_cast<size_t>(tokens_[r])]);
    for (const Place& p : spot.region())
        if (info(p.stage).scope == Scope::per_layer) layers_.insert(p.layer);
}

bool Case::diverges() const { return std::ranges::find(bad_, true) != bad_.end(); }

std::vector<Mistake> Case::mistakes(const std::vector<Guess>& guesses, const Where& where) const {
    std::vector<Mistake> list;
    for (const Guess& g : guesses) {
        Mistake m = mistake(in_.model, *g.hypothesis, g.values, where, spot_.n_prompt());
        m.stages = g.stages;
        list.push_back(std::move(m));
    }
    return list;
}

// The phases that guesses may have been made in: all, or those with rows that diverge.
std::vector<Phase> Case::phases() const {
    bool prompt = false, decode = false, right_prompt = false, right_decode = false;
    for (size_t r = 0; r < bad_.size(); ++r) {
        bool& has = is_decode(r) ? (bad_[r] ? decode : right_decode) : (bad_[r] ? prompt : right_prompt);
        has = true;
    }
    std::vector<Phase> list = {Phase::all};
    if (!prompt && right_prompt) list.push_back(Phase::decode);
    if (!decode && right_decode) list.push_back(Phase::prompt);
    return list;
}

bool Case::explains(const Fit& fit, Phase phase, bool rounds) const {
    size_t n_counted = 0, n_within = 0;
    for (size_t r = 0; r < bad_.size(); ++r) {
        const bool may_differ = rounds && bad_[r];
        if (in(phase, r) ? !may_differ && !(fit.row_ratio[r] <= 1) : bad_[r]) return false;
        if (may_differ) n_counted += fit.row_counted[r], n_within += fit.row_within[r];
    }
    if (static_cast<double>(n_within) < least_within * static_cast<double>(n_counted)) return false;
    const double left = error(fit, phase), before = error(spot_.clean(), phase);
    return left <= improvement * before || (left <= less_improvement * before && left <= stored * size(phase));
}

// The rows of a phase; those of the other are as the model says.
Fit Case::of_phase(Fit fit, Phase phase) const {
    const Fit& clean = spot_.clean();
    for (size_t r = 0; r < bad_.size(); ++r)
        if (!in(phase, r)) fit.row_ratio[r] = clean.row_ratio[r], fit.row_error[r] = clean.row_error[r];
    return fit;
}

// Where each row depends on its own inputs, one run tells of every phase.
std::optional<Explanation> Case::in_some_phase(const std::vector<Guess>& guesses, const Where& where, const Fit& fit) const {
    const bool rounds = std::ranges::any_of(guesses, [](const Guess& g) { return g.hypothesis->rounds; });
    for (const Phase phase : phases())
        if (explains(fit, phase, rounds))
            return Explanation{guesses, {where.first_layer, where.last_layer, phase}, error(fit, phase), of_phase(fit, phase)};
    return std::nullopt;
}

// Where rows depend on each other, each phase must be run.
std::optional<Explanation> Case::tried_by_phase(const std::vector<Guess>& guesses, Where where, bool sampled) const {
    for (const Phase phase : phases()) {
        if (phase == Phase::all) continue;
        where.phase = phase;
        const Fit fit = spot_.test(mistakes(guesses, where), sampled);
        if (explains(fit, Phase::all)) return Explanation{guesses, where, error(fit), fit};
    }
    return std::nullopt;
}

std::optional<Explanation> Case::explain(const std::vector<Guess>& guesses, Where where, bool sampled) {
    try {
        const Fit fit = spot_.test(mistakes(guesses, where), sampled);
        note(guesses, fit);
        if (!spot_.is_exact()) {
            if (explains(fit, Phase::all)) return Explanation{guesses, {where.first_layer, where.last_layer, Phase::all}, error(fit), fit};
            return tried_by_phase(guesses, where, sampled);
        }
        if (auto found = in_some_phase(guesses, where, fit)) return found;
        if (error(fit) > nearly * error(spot_.clean())) return std::nullopt;
        return in_some_phase(guesses, where, spot_.test_by_its_own_rounding(mistakes(guesses, where)));
    } catch (const NotApplicable&) {
        return std::nullopt;
    }
}

double Case::error(const Fit& fit, Phase phase) const {
    double sum = 0;
    for (size_t r = 0; r < bad_.size(); ++r)
        if (bad_[r] && in(phase, r)) sum += fit.row_error[r];
    return std::isnan(sum) ? HUGE_VAL : sum;
}

double Case::size(Phase phase) const {
    double sum = 0;
    for (size_t r = 0; r < bad_.size(); ++r)
        if (bad_[r] && in(phase, r)) sum += spot_.clean().row_size[r];
    return sum;
}

std::optional<double> Case::error_of(const std::vector<Guess>& guesses, const Where& where) const {
    try {
        return error(spot_.test(mistakes(guesses, where), true));
    } catch (const NotApplicable&) {
        return std::nullopt;
    }
}

void Case::note(const std::vector<Guess>& guesses, const Fit& fit) {
    if (guesses.size() != 1) return;
    const auto name = std::string(guesses[0].hypothesis->name);
    const auto found = std::ranges::find(tried_, name, &Tried::name);
    if (found == tried_.end())
        tried_.push_back({name, fit.worst(), fit.error()});
    else if (fit.error() < found->error)
        *found = {name, fit.worst(), fit.error()};
}

}  // namespace kylin::parity
