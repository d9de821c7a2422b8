#include "parity/diagnose.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "parity/declared.h"
#include "parity/diagnose_spot.h"
#include "parity/diagnose_text.h"
#include "parity/drive.h"
#include "parity/hypotheses_solve.h"

namespace kylin::parity {
namespace {

constexpr double improvement = 1.0 / 16;           // of the squared error, at least: less is no explanation
constexpr double as_good = 64;                     // squared errors within this factor do not tell two explanations apart
constexpr size_t most_bases = 48, most_pairs = 6;  // explanations that a further mistake is stacked on
constexpr int most_deep_searches = 3;              // for stages that no single mistake explains

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

bool touches(const Hypothesis& h, Stage s) { return std::ranges::find(h.stages, s) != h.stages.end(); }

class Case {
public:
    Case(const SpotInput& in, const Suspect& suspect, Spot& spot) : in_(in), spot_(spot), tokens_(spot.tokens()) {
        for (size_t r = 0; r < tokens_.size(); ++r)
            bad_.push_back(suspect.bad_rows.empty() ? spot.clean().row_ratio[r] > 1 : suspect.bad_rows[static_cast<size_t>(tokens_[r])]);
        for (const Place& p : spot.region())
            if (info(p.stage).scope == Scope::per_layer) layers_.insert(p.layer);
    }
    bool diverges() const { return std::ranges::find(bad_, true) != bad_.end(); }
    const std::set<int>& layers() const { return layers_; }

    std::vector<Mistake> mistakes(const std::vector<Guess>& guesses, const Where& where) const {
        std::vector<Mistake> list;
        for (const Guess& g : guesses) {
            Mistake m = mistake(in_.model, *g.hypothesis, g.values, where, spot_.n_prompt());
            m.stages = g.stages;
            list.push_back(std::move(m));
        }
        return list;
    }

    // The phases that these guesses may have been made in: all, or those with rows that diverge.
    std::vector<Phase> phases() const {
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

    // Tries guesses, and says in which phase they explain the place.
    std::optional<Explanation> explain(const std::vector<Guess>& guesses, Where where, bool sampled) {
        try {
            const Fit fit = spot_.test(mistakes(guesses, where), sampled);
            note(guesses, fit);
            for (const Phase phase : phases()) {
                if (phase != Phase::all && !spot_.is_exact()) continue;  // rows depend on each other: the phase must be tried
                if (explains(fit, phase)) return Explanation{guesses, {where.first_layer, where.last_layer, phase}, error(fit, phase), fit};
            }
            if (spot_.is_exact()) return std::nullopt;
            for (const Phase phase : phases()) {
                if (phase == Phase::all) continue;
                where.phase = phase;
                const Fit limited = spot_.test(mistakes(guesses, where), sampled);
                if (explains(limited, Phase::all)) return Explanation{guesses, where, error(limited, Phase::all), limited};
            }
        } catch (const NotApplicable&) {
        }
        return std::nullopt;
    }

    // Squared error over the rows that diverge.
    double error(const Fit& fit, Phase phase = Phase::all) const {
        double sum = 0;
        for (size_t r = 0; r < bad_.size(); ++r)
            if (bad_[r] && in(phase, r)) sum += fit.row_error[r];
        return std::isnan(sum) ? HUGE_VAL : sum;
    }
    std::optional<double> error_of(const std::vector<Guess>& guesses, const Where& where) {
        try {
            return error(spot_.test(mistakes(guesses, where), true));
        } catch (const NotApplicable&) {
            return std::nullopt;
        }
    }

    Spot& spot() { return spot_; }
    const std::vector<Tried>& tried() const { return tried_; }

private:
    bool is_decode(size_t r) const { return tokens_[r] >= spot_.n_prompt(); }
    bool in(Phase phase, size_t r) const { return phase == Phase::all || (phase == Phase::decode) == is_decode(r); }
    bool explains(const Fit& fit, Phase phase) const {
        for (size_t r = 0; r < bad_.size(); ++r)
            if (in(phase, r) ? !(fit.row_ratio[r] <= 1) : bad_[r]) return false;
        return error(fit, phase) <= improvement * error(spot_.clean(), phase);
    }
    void note(const std::vector<Guess>& guesses, const Fit& fit) {
        if (guesses.size() != 1) return;
        const auto name = std::string(guesses[0].hypothesis->name);
        const auto found = std::ranges::find(tried_, name, &Tried::name);
        if (found == tried_.end())
            tried_.push_back({name, fit.worst(), fit.error()});
        else if (fit.error() < found->error)
            *found = {name, fit.worst(), fit.error()};
    }

    const SpotInput& in_;
    Spot& spot_;
    std::vector<int> tokens_;
    std::vector<bool> bad_;
    std::set<int> layers_;
    std::vector<Tried> tried_;
};

// Looks for the mistakes that explain one place.
class Search {
public:
    Search(Case& one, const Model& model) : case_(one), model_(model) {}

    // All single mistakes that explain the place, best first; else two or three that do so together.
    std::vector<Explanation> run(bool deep) {
        std::vector<Explanation> found = single({}, base_where());
        if (found.empty() && case_.layers().size() > 1)
            for (const int layer : case_.layers()) {
                for (Explanation& e : single({}, {layer, layer, Phase::all})) found.push_back(std::move(e));
            }
        if (!found.empty() || !deep) return ranked(std::move(found));
        auto bases = by_error(std::move(partial_));
        if (bases.size() > most_bases) bases.resize(most_bases);
        for (int depth = 2; depth <= 3 && found.empty(); ++depth) {
            partial_.clear();
            for (const Partial& base : bases)
                for (Explanation& e : single(base.guesses, base_where())) found.push_back(std::move(e));
            bases = by_error(std::move(partial_));
            if (bases.size() > most_pairs) bases.resize(most_pairs);
            case_.spot().assume({});
        }
        return ranked(std::move(found));
    }

private:
    struct Partial {
        std::vector<Guess> guesses;
        double error;
    };
    Where base_where() const {
        if (case_.layers().empty()) return {};
        return {*case_.layers().begin(), *case_.layers().rbegin(), Phase::all};
    }

    // The stages of the region that a mistake touches: together, and one by one where there are several.
    std::vector<std::vector<Stage>> stages_of(const Hypothesis& h) const {
        std::vector<Stage> touched;
        for (const Place& p : case_.spot().region())
            if (touches(h, p.stage) && std::ranges::find(touched, p.stage) == touched.end()) touched.push_back(p.stage);
        if (touched.empty()) return {};
        if (case_.spot().is_exact()) return {h.stages};
        std::vector<std::vector<Stage>> sets = {h.stages};
        using enum Stage;
        const bool attention = std::ranges::all_of(touched, [](Stage s) { return s == attn_scores || s == attn_probs || s == attn_heads; });
        if (touched.size() > 1 && !attention)
            for (const Stage s : touched) sets.push_back({s});
        return sets;
    }

    std::vector<Explanation> single(const std::vector<Guess>& base, const Where& where) {
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

    std::optional<Explanation> best_of(const Hypothesis& h, std::vector<Stage> stages, const std::vector<Guess>& base, const Where& where) {
        std::vector<Guess> guesses = base;
        guesses.push_back({&h, {}, std::move(stages)});
        Guess& last = guesses.back();
        std::optional<Explanation> best;
        Partial nearest{{}, HUGE_VAL};
        for (const Values& v : h.candidates ? h.candidates(case_.spot()) : std::vector<Values>{{}}) {
            if (h.candidates && v.empty()) continue;
            last.values = v;
            if (auto e = case_.explain(guesses, where, true); e && (!best || e->error < best->error)) best = std::move(e);
            if (const auto error = best ? std::optional<double>() : case_.error_of(guesses, where); error && *error < nearest.error)
                nearest = {guesses, *error};
        }
        const bool refines = h.parameters.size() == 1 && h.parameters[0].refine;
        if (!best && refines && !nearest.guesses.empty()) best = refined(nearest, where);
        if (best && refines) simplify(*best);
        if (best && !case_.spot().is_exact()) return best;
        if (best) best = case_.explain(best->guesses, best->where, false);
        if (!best && !nearest.guesses.empty()) partial_.push_back(std::move(nearest));
        return best;
    }

    // Golden-section search for the value with the least error, around the best so far.
    std::optional<Explanation> refined(Partial& nearest, const Where& where) {
        double& value = nearest.guesses.back().values[0];
        const double centre = value;
        if (centre == 0) return std::nullopt;
        constexpr double ratio = 0.6180339887498949;
        const auto error_at = [&](double x) {
            value = centre * std::exp(x);
            return case_.error_of(nearest.guesses, where).value_or(HUGE_VAL);
        };
        double low = -0.7, high = 0.7, a = high - ratio * (high - low), b = low + ratio * (high - low), at_a = error_at(a),
               at_b = error_at(b);
        for (int i = 0; i < 44 && high - low > 1e-9; ++i) {  // 44 steps narrow 1.4 to 1e-9
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
    void simplify(Explanation& e) {
        for (const double plain : plain_numbers_near(e.guesses.back().values[0], 1e-2)) {
            Explanation simpler = e;
            simpler.guesses.back().values[0] = plain;
            if (auto found = case_.explain(simpler.guesses, e.where, true); found && found->error <= as_good * e.error) {
                found->where = e.where;
                e = std::move(*found);
                return;
            }
        }
    }

    static std::vector<Partial> by_error(std::vector<Partial> list) {
        std::ranges::stable_sort(list, {}, &Partial::error);
        return list;
    }

    // A named cause before a description, and of causes those without a free number first; then the order of the catalogue.
    std::vector<Explanation> ranked(std::vector<Explanation> found) const {
        double least = HUGE_VAL;
        for (const Explanation& e : found) least = std::min(least, e.error);
        const double floor = 1e-30 * case_.error(case_.spot().clean());
        std::erase_if(found, [&](const Explanation& e) { return e.error > as_good * std::max(least, floor) && e.fit.worst() > 0.05; });
        const auto rank = [](const Explanation& e) {
            int sum = 0;
            for (const Guess& g : e.guesses) {
                if (g.hypothesis->generic) sum += 4;
                for (const Parameter& p : g.hypothesis->parameters) sum += p.refine;
            }
            return sum;
        };
        std::ranges::stable_sort(found, {}, rank);
        if (!found.empty() && rank(found[0]) < 4) std::erase_if(found, [&](const Explanation& e) { return rank(e) >= 4; });
        return found;
    }

    Case& case_;
    const Model& model_;
    std::vector<Partial> partial_;
};

// What has been named so far: explanations that fit as well as each other, at all these places.
struct Named {
    std::vector<Explanation> alternatives;
    std::vector<Place> places;
    std::vector<Tried> tried;
    double before = 0, after = 0;
    std::vector<std::string> dumps;
};

class Diagnoser {
public:
    explicit Diagnoser(const DiagnoseInput& in)
        : in_(in), rounding_(declared_by(in.trace.about())), options_(in.options), spot_input_{in.model, options_, in.trace, rounding_} {
        options_.kind = NumericsKind::oracle;
        options_.n_pages = pages_for(static_cast<int>(in.trace.n_tokens()));
    }

    Diagnosis run() {
        const Judgement judgement = judge(in_.model, options_, in_.trace, [&](double share) { show("judging", share); });
        diagnosis_.n_judged = judgement.size();
        const auto places = suspicious(judgement);
        for (size_t i = 0; i < places.size(); ++i) {
            show("naming", static_cast<double>(i) / static_cast<double>(places.size()));
            look_at(places[i]);
        }
        for (const Named& n : named_) report(n);
        std::ranges::stable_sort(diagnosis_.faults, [&](const Fault& a, const Fault& b) { return order(a.at) < order(b.at); });
        describe_all(diagnosis_, in_);
        return std::move(diagnosis_);
    }

private:
    void show(const char* what, double share) const {
        if (in_.progress) in_.progress(what, share);
    }
    size_t order(const Place& at) const {
        const auto all = pass_order(in_.model.config().n_layer);
        return static_cast<size_t>(std::ranges::find_if(all, [&](const Place& p) { return p.stage == at.stage && p.layer == at.layer; }) -
                                   all.begin());
    }

    std::vector<Suspect> suspicious(const Judgement& judgement) {
        std::vector<Suspect> list;
        for (const Place& at : pass_order(in_.model.config().n_layer)) {
            const std::string name = trace_name(at);
            if (!in_.trace.find(name)) {
                diagnosis_.missing.push_back(name);
                continue;
            }
            const auto found = judgement.find(name);
            if (found == judgement.end()) {
                list.push_back({at, {}, {}});
            } else if (const Judged& j = found->second; j.ratio_with_sources > 1) {
                std::vector<bool> bad;
                for (const double ratio : j.row_ratios) bad.push_back(ratio > 1);
                list.push_back({at, j.row_bounds, bad, std::isfinite(j.ratio_with_sources)});
            }
        }
        return list;
    }

    void look_at(const Suspect& suspect) {
        Spot spot(spot_input_, suspect.at, suspect.row_bounds);
        Case one(spot_input_, suspect, spot);
        if (!one.diverges() || (!suspect.finite && spot.clean().worst() <= 1)) return;
        for (Named& n : named_)
            if (applies(n, one, suspect.at)) return;
        Search search(one, in_.model);
        auto found = search.run(deep_searches_ < most_deep_searches);
        Named n;
        n.places = {suspect.at};
        n.before = spot.clean().error();
        n.tried = one.tried();
        if (found.empty())
            ++deep_searches_;
        else
            n.after = found[0].fit.error();
        n.alternatives = std::move(found);
        if (!spot.is_exact())
            for (const Place& p : spot.region())
                if (p.stage != suspect.at.stage || p.layer != suspect.at.layer) n.dumps.push_back(trace_name(p));
        if (n.alternatives.empty() && !named_.empty() && is_unexplained_too(n)) return;
        named_.push_back(std::move(n));
    }

    // Unexplained places of one stage are one finding.
    bool is_unexplained_too(const Named& n) {
        for (Named& other : named_)
            if (other.alternatives.empty() && other.places[0].stage == n.places[0].stage) {
                other.places.push_back(n.places[0]);
                return true;
            }
        return false;
    }

    // Whether what was named at other places explains this one; of several alternatives those that do not are dropped.
    bool applies(Named& n, Case& one, const Place& at) {
        std::vector<Explanation> left;
        for (const Explanation& e : n.alternatives) {
            if (!std::ranges::all_of(e.guesses, [&](const Guess& g) {
                    return std::ranges::any_of(one.spot().region(), [&](const Place& p) { return touches(*g.hypothesis, p.stage); });
                }))
                continue;
            Where where = e.where;
            where.phase = Phase::all;
            if (!one.layers().empty()) where.first_layer = *one.layers().begin(), where.last_layer = *one.layers().rbegin();
            if (auto again = one.explain(e.guesses, where, false); again && again->where.phase == e.where.phase) left.push_back(e);
        }
        if (left.empty()) return false;
        n.alternatives = std::move(left);
        n.places.push_back(at);
        return true;
    }

    void report(const Named& n) {
        if (n.alternatives.empty()) {
            Fault f;
            f.name = "unexplained";
            f.at = n.places[0], f.places = n.places, f.tried = n.tried, f.before = n.before, f.dumps = n.dumps;
            f.after = n.before;
            diagnosis_.faults.push_back(std::move(f));
            return;
        }
        const Explanation& best = n.alternatives[0];
        for (const Guess& g : best.guesses) {
            Fault f = describe(in_.model, *g.hypothesis, g.values, located(g, n.places[0], best.where));
            f.places = n.places, f.phase = best.where.phase, f.tried = n.tried, f.before = n.before, f.after = n.after, f.dumps = n.dumps;
            if (best.guesses.size() == 1)
                for (size_t i = 1; i < n.alternatives.size(); ++i) add_equivalent(f, n.alternatives[i]);
            diagnosis_.faults.push_back(std::move(f));
        }
    }
    // The stage that was changed, where it is not the one that was looked at.
    static Place located(const Guess& g, const Place& seen, const Where& where) {
        if (touches(*g.hypothesis, seen.stage) && std::ranges::find(g.stages, seen.stage) != g.stages.end()) return seen;
        return {g.stages[0], info(g.stages[0]).scope == Scope::once ? 0 : where.first_layer};
    }
    void add_equivalent(Fault& f, const Explanation& e) const {
        for (const Guess& g : e.guesses) {
            if (g.hypothesis == f.hypothesis ||
                std::ranges::find(f.equivalent, std::string(g.hypothesis->name), &Fault::Equivalent::name) != f.equivalent.end())
                continue;
            f.equivalent.push_back({std::string(g.hypothesis->name), parity::explain(in_.model, *g.hypothesis, g.values, f.at),
                                    std::string(g.hypothesis->shows_with)});
        }
    }

    const DiagnoseInput& in_;
    Rounding rounding_;
    NumericsOptions options_;
    SpotInput spot_input_;
    Diagnosis diagnosis_;
    std::vector<Named> named_;
    int deep_searches_ = 0;
};

}  // namespace

Diagnosis diagnose(const DiagnoseInput& input) { return Diagnoser(input).run(); }

bool Diagnosis::explained() const {
    return std::ranges::none_of(faults, [](const Fault& f) { return f.name == "unexplained"; });
}

}  // namespace kylin::parity
