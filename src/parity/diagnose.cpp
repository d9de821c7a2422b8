#include "parity/diagnose.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "parity/declared.h"
#include "parity/diagnose_search.h"
#include "parity/diagnose_text.h"
#include "parity/drive.h"

namespace kylin::parity {
namespace {

constexpr int most_deep_searches = 3;  // for stages that no single mistake explains

// What has been named so far: explanations that fit as well as each other, at all these places.
struct Named {
    std::vector<Explanation> alternatives;
    std::vector<Place> places;
    std::vector<Tried> tried;
    double before = 0, after = 0;
    std::vector<std::string> dumps;
    std::vector<Fault::Element> elements;
};

// The values of a place that differ most, largest first.
std::vector<Fault::Element> worst_elements(const Spot& spot, const std::vector<double>& with_fault) {
    constexpr size_t shown = 8;
    const auto &theirs = spot.theirs(), &as_is = spot.as_is();
    std::vector<size_t> order(theirs.size());
    std::iota(order.begin(), order.end(), size_t{0});
    const auto off = [&](size_t i) {
        const double d = std::fabs(theirs[i] - as_is[i]);
        return std::isnan(d) ? HUGE_VAL : d;
    };
    const size_t n = std::min(shown, order.size());
    std::ranges::partial_sort(order, order.begin() + static_cast<std::ptrdiff_t>(n), std::greater<>{}, off);
    std::vector<Fault::Element> list;
    const size_t n_heads = is_square(spot.at().stage) ? static_cast<size_t>(spot.model().config().attention.n_head) : 1;
    for (size_t j = 0; j < n; ++j) {
        const size_t i = order[j], in_row = i % spot.width(), per_head = spot.width() / n_heads;
        const std::optional<int> head = n_heads == 1 ? std::nullopt : std::optional(static_cast<int>(in_row / per_head));
        list.push_back({spot.tokens()[i / spot.width()], static_cast<int>(in_row % per_head), head, theirs[i], as_is[i], with_fault[i]});
    }
    return list;
}

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
        Search search(one);
        auto found = search.run(deep_searches_ < most_deep_searches);
        Named n;
        n.places = {suspect.at};
        n.before = spot.clean().error();
        n.tried = one.tried();
        if (found.empty())
            ++deep_searches_;
        else
            n.after = found[0].fit.error();
        spot.assume({});
        n.elements =
            worst_elements(spot, found.empty() ? spot.as_is() : spot.values(one.mistakes(found[0].guesses, found[0].where), false));
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
            f.after = n.before, f.elements = n.elements;
            diagnosis_.faults.push_back(std::move(f));
            return;
        }
        const Explanation& best = n.alternatives[0];
        for (const Guess& g : best.guesses) {
            Fault f = describe(in_.model, *g.hypothesis, g.values, located(g, n.places[0], best.where));
            f.places = n.places, f.phase = best.where.phase, f.tried = n.tried, f.before = n.before, f.after = n.after, f.dumps = n.dumps;
            f.elements = n.elements;
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
