#include "parity/diagnose_search.h"

#include <algorithm>
#include <cmath>

#include "parity/hypotheses_solve.h"

namespace kylin::parity {
namespace {

constexpr double as_good = 64;                     // squared errors within this factor do not tell two explanations apart
constexpr double far_from_bound = 0.05;            // a worst row this far below its bound is rounding, whatever another explanation leaves
constexpr double no_error = 1e-30;                 // of the squared error as is
constexpr size_t most_bases = 48, most_pairs = 6;  // explanations that a further mistake is stacked on
constexpr size_t most_whole_bases = 8;
constexpr int rank_of_generic = 4;  // above any sum of free numbers in a stack of three

bool is_whole(const Hypothesis& h) {
    return !h.parameters.empty() && std::ranges::all_of(h.parameters, [](const Parameter& p) { return p.kind == Parameter::Kind::whole; });
}

// Of a guess: how little it says. A description says less than a cause, a free number less than a fixed one.
int rank(const Explanation& e) {
    int sum = 0;
    for (const Guess& g : e.guesses) {
        if (g.hypothesis->generic) sum += rank_of_generic;
        for (const Parameter& p : g.hypothesis->parameters) sum += p.refine;
    }
    return sum;
}

}  // namespace

std::vector<Explanation> Search::run(bool deep) {
    std::vector<Explanation> found = single({}, base_where());
    if (found.empty() && case_.layers().size() > 1)
        for (const int layer : case_.layers())
            for (Explanation& e : single({}, {layer, layer, Phase::all})) found.push_back(std::move(e));
    // Where stages are missing, two mistakes explain too much: a dump of those stages is the better answer.
    if (!found.empty() || !deep || !case_.spot().is_exact()) return ranked(std::move(found));
    auto bases = by_error(std::move(partial_), most_bases);
    for (int depth = 2; depth <= 3 && found.empty(); ++depth) {
        partial_.clear();
        for (const Partial& base : bases)
            for (Explanation& e : single(base.guesses, base_where())) found.push_back(std::move(e));
        bases = by_error(std::move(partial_), most_pairs);
        case_.spot().assume({});
    }
    return ranked(std::move(found));
}

Where Search::base_where() const {
    if (case_.layers().empty()) return {};
    return {*case_.layers().begin(), *case_.layers().rbegin(), Phase::all};
}

// The stages of the region that a mistake touches: together, and one by one where there are several.
std::vector<std::vector<Stage>> Search::stages_of(const Hypothesis& h) const {
    using enum Stage;
    std::vector<Stage> touched;
    for (const Place& p : case_.spot().region())
        if (touches(h, p.stage) && std::ranges::find(touched, p.stage) == touched.end()) touched.push_back(p.stage);
    if (touched.empty()) return {};
    const auto begins = [&](Stage s) { return std::ranges::find(h.begins_at, s) != h.begins_at.end(); };
    if (!h.begins_at.empty() && std::ranges::none_of(touched, begins)) return {};
    std::vector<std::vector<Stage>> sets = {h.stages};
    const bool attention = std::ranges::all_of(touched, [](Stage s) { return s == attn_scores || s == attn_probs || s == attn_heads; });
    if (!case_.spot().is_exact() && touched.size() > 1 && !attention)
        for (const Stage s : touched) sets.push_back({s});
    return sets;
}

std::vector<Explanation> Search::single(const std::vector<Guess>& base, const Where& where) {
    std::vector<Explanation> found;
    if (!base.empty()) try {
            case_.spot().assume(case_.mistakes(base, where));
        } catch (const NotApplicable&) {
            return {};
        }
    for (const Hypothesis& h : hypotheses()) {
        if (std::ranges::any_of(base, [&](const Guess& g) { return g.hypothesis == &h; })) continue;
        if (h.generic && !base.empty()) continue;
        for (auto& stages : stages_of(h))
            if (auto e = best_of(h, std::move(stages), base, where)) found.push_back(std::move(*e));
    }
    return found;
}

std::optional<Explanation> Search::best_of(const Hypothesis& h, std::vector<Stage> stages, const std::vector<Guess>& base,
                                           const Where& where) {
    std::vector<Guess> guesses = base;
    guesses.push_back({&h, {}, std::move(stages)});
    std::optional<Explanation> best;
    Partial nearest{{}, HUGE_VAL};
    std::vector<Partial> others;
    for (const Values& v : h.candidates ? h.candidates(case_.evidence()) : std::vector<Values>{{}}) {
        if (h.candidates && v.empty()) continue;
        guesses.back().values = v;
        if (auto e = case_.explain(guesses, where, true); e && (!best || e->error < best->error)) best = std::move(e);
        const auto error = best ? std::optional<double>() : case_.error_of(guesses, where);
        if (error && *error < nearest.error) nearest = {guesses, *error};
        if (error && is_whole(h)) others.push_back({guesses, *error});
    }
    const bool refines = h.parameters.size() == 1 && h.parameters[0].refine;
    if (!best && refines && !nearest.guesses.empty()) best = refined(nearest, where);
    if (best && refines) simplify(*best);
    // Of all outputs now, and in every phase as before: what the prompt left in the cache is read in decode.
    if (best && case_.spot().is_exact()) best = case_.explain(best->guesses, {best->where.first_layer, best->where.last_layer}, false);
    if (best) return best;
    // Of whole numbers the nearest may not be the right one before the other mistake is known.
    if (!others.empty() && others.size() <= most_whole_bases)
        std::ranges::move(others, std::back_inserter(partial_));
    else if (!nearest.guesses.empty())
        partial_.push_back(std::move(nearest));
    return std::nullopt;
}

// Golden-section search for the value with the least error, around the best so far.
std::optional<Explanation> Search::refined(Partial& nearest, const Where& where) {
    double& value = nearest.guesses.back().values[0];
    const double centre = value;
    if (centre == 0) return std::nullopt;
    constexpr double ratio = 0.6180339887498949;
    const auto error_at = [&](double x) {
        value = centre * std::exp(x);
        return case_.error_of(nearest.guesses, where).value_or(HUGE_VAL);
    };
    double low = -0.7, high = 0.7, a = high - ratio * (high - low), b = low + ratio * (high - low), at_a = error_at(a), at_b = error_at(b);
    const double hopeless = case_.error(case_.spot().clean()) / 4;
    for (int i = 0; i < 44 && high - low > 1e-9; ++i) {                      // 44 steps narrow 1.4 to 1e-9
        if (i == 9 && std::min(at_a, at_b) > hopeless) return std::nullopt;  // within 2 % of the right value little would be left
        if (at_a < at_b)
            high = b, b = a, at_b = at_a, a = high - ratio * (high - low), at_a = error_at(a);
        else
            low = a, a = b, at_a = at_b, b = low + ratio * (high - low), at_b = error_at(b);
    }
    const double error = error_at((low + high) / 2);
    if (error < nearest.error) nearest.error = error;
    return case_.explain(nearest.guesses, where, true);
}

// The plainest number that explains the place as well.
void Search::simplify(Explanation& e) {
    for (const double plain : plain_numbers_near(e.guesses.back().values[0])) {
        Explanation simpler = e;
        simpler.guesses.back().values[0] = plain;
        if (auto found = case_.explain(simpler.guesses, e.where, true); found && found->error <= as_good * e.error) {
            found->where = e.where;
            e = std::move(*found);
            return;
        }
    }
}

std::vector<Search::Partial> Search::by_error(std::vector<Partial> list, size_t most) {
    std::ranges::stable_sort(list, {}, &Partial::error);
    if (list.size() > most) list.resize(most);
    return list;
}

// A named cause before a description, and of causes those without a free number first; then the order of the catalogue.
std::vector<Explanation> Search::ranked(std::vector<Explanation> found) const {
    double best = HUGE_VAL;
    for (const Explanation& e : found) best = std::min(best, e.error);
    const double limit = as_good * std::max(best, no_error * case_.error(case_.spot().clean()));
    std::erase_if(found, [&](const Explanation& e) { return e.error > limit && e.fit.worst() > far_from_bound; });
    std::ranges::stable_sort(found, {}, rank);
    if (!found.empty() && rank(found[0]) < rank_of_generic)
        std::erase_if(found, [](const Explanation& e) { return rank(e) >= rank_of_generic; });
    return found;
}

}  // namespace kylin::parity
