#include "parity/diagnose_spot.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "parity/drive.h"

namespace kylin::parity {
namespace {

// Bounds are of the formula of the model; a mistake's formula may have a few more roundings, and its largest value elsewhere in the row.
constexpr double slack = 4;
// A stage's F32 sums are off by a few units in the last place; where an engine sums halves, by as many of those.
constexpr double float_amplitude = 0x1p-22, half_amplitude = 0x1p-12;
constexpr int n_perturbed = 3;
constexpr double perturbed_slack = 8;  // of the largest of three draws
constexpr size_t sampled_outputs = 128;

bool is_attention(Stage s) { return is_square(s) || s == Stage::attn_heads; }
bool is_projection(Stage s) {
    using enum Stage;
    constexpr Stage all[] = {q_proj, k_proj, v_proj, attn_out, ffn_gate, ffn_up, ffn_down, logits};
    return std::ranges::find(all, s) != std::end(all);
}

double off(double theirs, double ours) {
    if (std::isnan(theirs) && std::isnan(ours)) return 0;
    if (std::isinf(theirs) && theirs == ours) return 0;
    const double d = std::fabs(theirs - ours);
    return std::isnan(d) ? HUGE_VAL : d;
}

// Takes the values of one place; the trace's go on in the pass everywhere else.
class Look final : public StepProbe {
public:
    using Take = std::function<void(const Segment&)>;
    using Wants = std::function<bool(Stage, int)>;
    Look(const TraceReader& trace, const RunShape& run, Place at, Wants forced, Take take)
        : trace_(trace), run_(run), at_(at), forced_(std::move(forced)), take_(std::move(take)) {}
    bool wants(Stage s, int layer) const override { return is_target(s, layer) || forced_(s, layer); }
    bool visit(const Visit& v) override {
        const bool target = is_target(v.stage, v.layer);
        const TraceTensor* tensor = target ? nullptr : trace_.find(trace_name(v.stage, v.layer));
        for (const Segment& s : segments_of(v, first_token(), run_)) {
            if (target)
                take_(s);
            else if (const auto theirs = read_segment(trace_, *tensor, s))
                std::ranges::copy(*theirs, s.values.begin());
        }
        return !target;
    }

private:
    bool is_target(Stage s, int layer) const { return s == at_.stage && layer == at_.layer; }
    const TraceReader& trace_;
    const RunShape& run_;
    Place at_;
    Wants forced_;
    Take take_;
};

}  // namespace

double Fit::error() const {
    const double error = std::accumulate(row_error.begin(), row_error.end(), 0.0),
                 size = std::accumulate(row_size.begin(), row_size.end(), 0.0);
    return error == 0 ? 0 : size == 0 ? HUGE_VAL : std::sqrt(error / size);
}

double Fit::worst() const { return *std::ranges::max_element(row_ratio); }

Spot::Spot(const SpotInput& input, Place at, std::vector<double> row_bounds) : in_(input), at_(at) {
    find_region();
    const TraceTensor& tensor = *in_.trace.find(trace_name(at_));
    const size_t n_tokens = in_.trace.n_tokens();
    if (tensor.rows.empty()) {
        tokens_.resize(n_tokens);
        std::iota(tokens_.begin(), tokens_.end(), 0);
    } else {
        tokens_.assign(tensor.rows.begin(), tensor.rows.end());
    }
    rows_ = tokens_.size();
    width_ = tensor.n_values() / rows_;
    theirs_.resize(rows_ * width_);
    if (is_square(at_.stage)) {  // [heads, tokens, keys] becomes a row per token
        std::vector<double> row(n_tokens);
        for (size_t h = 0; h < width_ / n_tokens; ++h)
            for (size_t t = 0; t < n_tokens; ++t) {
                in_.trace.read(tensor, (h * n_tokens + t) * n_tokens, row);
                std::ranges::copy(row, theirs_.begin() + static_cast<std::ptrdiff_t>(t * width_ + h * n_tokens));
            }
    } else {
        in_.trace.read(tensor, 0, theirs_);
    }
    as_is_ = values({}, false);
    for (size_t r = 0; r < rows_; ++r) {
        double size = 0;
        for (size_t i = 0; i < width_; ++i) size = std::max(size, std::fabs(as_is_[r * width_ + i]));
        sizes_.push_back(size);
        if (!row_bounds.empty()) bounds_.push_back(row_bounds[static_cast<size_t>(tokens_[r])]);
    }
    if (bounds_.empty()) bounds_ = perturbed({}, as_is_);
    choose_sample();
    clean_ = fit(as_is_, false);
}

void Spot::assume(const std::vector<Mistake>& mistakes) { as_is_ = values(mistakes, false); }

// What lies between the place and the nearest stages that the trace holds.
void Spot::find_region() {
    std::vector<Place> open = {at_};
    std::set<std::string> seen = {trace_name(at_)};
    while (!open.empty()) {
        const Place p = open.back();
        open.pop_back();
        region_.push_back(p);
        for (const Place& input : inputs_of(p, in_.model.config().n_layer))
            if (!in_.trace.find(trace_name(input)) && seen.insert(trace_name(input)).second) open.push_back(input);
    }
}

bool Spot::in_region(Stage s, int layer) const {
    return std::ranges::any_of(
        region_, [&](const Place& p) { return p.layer == layer && (p.stage == s || (is_attention(p.stage) && is_attention(s))); });
}

std::vector<double> Spot::rows_of(Stage s) const {
    const int n_layer = in_.model.config().n_layer;
    int layer = at_.layer;
    if (s == Stage::layer_out) layer = at_.stage == Stage::final_norm ? n_layer - 1 : layer - 1;
    const TraceTensor* t = in_.trace.find(layer < 0 ? "embedding" : trace_name(s, layer));
    if (!t || !t->rows.empty() || is_square(s)) return {};
    std::vector<double> rows(t->n_values());
    in_.trace.read(*t, 0, rows);
    return rows;
}

std::vector<double> Spot::run(Altered& math) const {
    const RunShape shape{in_.trace.n_tokens(), in_.model.config().attention};
    std::set<int> layers;
    const int n_layer = in_.model.config().n_layer;
    for (const Place& p : region_)
        if (info(p.stage).scope == Scope::per_layer) layers.insert(p.layer);
    const bool once = layers.empty();
    math.restrict_to([&](Stage s, int layer) { return in_region(s, layer); });
    const auto forced = [&](Stage s, int layer) {
        if (!in_.trace.find(trace_name(s, layer)) ||
            std::ranges::any_of(region_, [&](const Place& p) { return p.stage == s && p.layer == layer; }))
            return false;
        if (info(s).scope == Scope::once) return s == Stage::final_norm || (s == Stage::embedding && !once && *layers.begin() == 0);
        if (once || in_region(Stage::final_norm, 0)) {
            if (s == Stage::layer_out && layer == n_layer - 1) return true;
            if (once) return false;
        }
        return layers.contains(layer) || (s == Stage::layer_out && layers.contains(layer + 1));
    };
    std::vector<double> result(rows_ * width_);
    Look look(in_.trace, shape, at_, forced, [&](const Segment& s) {
        const auto found = std::ranges::lower_bound(tokens_, s.token);
        if (found == tokens_.end() || *found != s.token) return;
        const auto r = static_cast<size_t>(found - tokens_.begin());
        const size_t head = s.head < 0 ? 0 : static_cast<size_t>(s.head) * shape.n_tokens;
        std::ranges::copy(s.values, result.begin() + static_cast<std::ptrdiff_t>(r * width_ + head));
    });
    drive(math, {in_.model, in_.trace.about().tokens, in_.trace.about().n_prompt}, &look);
    return result;
}

std::vector<double> Spot::values(const std::vector<Mistake>& mistakes, bool sampled) const {
    Altered math(in_.model, in_.options, in_.rounding, mistakes, n_prompt());
    if (sampled && !sample_.empty()) math.sample(at_.stage, sample_);
    return run(math);
}

Fit Spot::test(const std::vector<Mistake>& mistakes, bool sampled) const { return fit(values(mistakes, sampled), sampled); }

Fit Spot::test_by_its_own_rounding(const std::vector<Mistake>& mistakes) const {
    const auto found = values(mistakes, false);
    Fit fit = this->fit(found, false);
    const auto own = perturbed(mistakes, found);
    for (size_t r = 0; r < rows_; ++r)
        if (own[r] > bounds_[r]) fit.row_ratio[r] *= bounds_[r] / own[r];
    return fit;
}

Fit Spot::fit(const std::vector<double>& values, bool sampled) const {
    Fit fit;
    const bool some = sampled && !sample_.empty();
    const size_t n = some ? sample_.size() : width_;
    for (size_t r = 0; r < rows_; ++r) {
        double largest = 0, top = 0, error = 0, size = 0;
        size_t n_counted = 0, n_within = 0;
        for (size_t j = 0; j < n; ++j) {
            const size_t at = r * width_ + (some ? static_cast<size_t>(sample_[j]) : j);
            const double d = off(theirs_[at], values[at]);
            largest = std::max(largest, d);
            if (theirs_[at] != 0 || values[at] != 0) ++n_counted, n_within += d <= slack * bounds_[r];
            if (std::isfinite(values[at])) top = std::max(top, std::fabs(values[at]));
            error += d * d;
            if (std::isfinite(theirs_[at])) size += theirs_[at] * theirs_[at];
        }
        const double more = sizes_[r] > 0 && std::isfinite(sizes_[r]) ? std::max(1.0, top / sizes_[r]) : 1.0;
        fit.row_ratio.push_back(largest == 0 ? 0 : largest / (slack * bounds_[r] * more));
        fit.row_counted.push_back(n_counted), fit.row_within.push_back(n_within);
        fit.row_error.push_back(error), fit.row_size.push_back(size);
    }
    return fit;
}

// By row: what an error of a few units in the last place of every result makes of the values.
std::vector<double> Spot::perturbed(const std::vector<Mistake>& mistakes, const std::vector<double>& values) const {
    std::vector<double> bounds(rows_, 0.0);
    for (int n = 0; n < n_perturbed; ++n) {
        Altered math(in_.model, in_.options, in_.rounding, mistakes, n_prompt());
        math.jitter(in_.rounding.half_sums || in_.rounding.cache_queries ? half_amplitude : float_amplitude, static_cast<uint64_t>(n) + 1);
        const auto shaken = run(math);
        for (size_t i = 0; i < shaken.size(); ++i) {
            double& bound = bounds[i / width_];
            bound = std::max(bound, std::fabs(shaken[i] - values[i]) * perturbed_slack / slack);
        }
    }
    return bounds;
}

// Half where the difference is largest, half evenly: a search needs no more, and the winner is tested on all.
void Spot::choose_sample() {
    if (!is_projection(at_.stage) || !is_exact() || width_ <= 2 * sampled_outputs) return;
    std::vector<double> worst(width_);
    for (size_t i = 0; i < theirs_.size(); ++i) worst[i % width_] = std::max(worst[i % width_], off(theirs_[i], as_is_[i]));
    std::vector<int> order(width_);
    std::iota(order.begin(), order.end(), 0);
    std::ranges::partial_sort(order, order.begin() + sampled_outputs / 2, std::greater<>{},
                              [&](int i) { return worst[static_cast<size_t>(i)]; });
    std::set<int> chosen(order.begin(), order.begin() + sampled_outputs / 2);
    for (size_t i = 0; i < sampled_outputs / 2; ++i) chosen.insert(static_cast<int>(i * width_ / (sampled_outputs / 2)));
    sample_.assign(chosen.begin(), chosen.end());
}

}  // namespace kylin::parity
