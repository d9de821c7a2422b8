#include "parity/compare.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "numerics/certified.h"
#include "parity/declared.h"
#include "parity/drive.h"
#include "parity/logits.h"
#include "parity/outliers.h"
#include "parity/probes.h"
#include "parity/self_test.h"

namespace kylin::parity {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

// Every stage of every layer, in the order of the forward pass.
std::vector<Place> pass_order(int n_layer) {
    std::vector<Place> places = {{Stage::embedding, 0}};
    for (int layer = 0; layer < n_layer; ++layer)
        for (size_t s = 0; s < n_stages; ++s)
            if (stage_table[s].scope == Scope::per_layer) places.push_back({static_cast<Stage>(s), layer});
    places.insert(places.end(), {{Stage::final_norm, 0}, {Stage::logits, 0}});
    return places;
}

// Where the inputs of a stage lie; layer_out as an input is that of the layer before, or the embedding.
std::vector<Place> inputs_of(const Place& at, int n_layer) {
    std::vector<Place> places;
    for (const Stage s : parity::inputs_of(at.stage)) {
        const int layer = at.stage == Stage::final_norm ? n_layer - 1 : at.layer - (s == Stage::layer_out);
        places.push_back(layer < 0 ? Place{Stage::embedding, 0} : Place{s, info(s).scope == Scope::once ? 0 : layer});
    }
    return places;
}

// What the certified pass finds about one engine at one stage.
struct Judged {
    double ratio = 0, ratio_with_sources = 0;  // largest difference over the bound of sums alone; of sums and declared sources
    double bound_squares = 0;
    size_t n = 0;
    std::optional<BlockType> weights;
};
using Judgement = std::map<std::string, Judged>;

// Judges every stage of a trace from the trace's own inputs.
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
            if (judged) add(v, bound, static_cast<size_t>(s.values.data() - v.values.data()), s.values, *theirs);
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
    void add(const Visit& v, const Certified::Bound& bound, size_t at, std::span<const double> exact, std::span<const double> theirs) {
        Judged& j = judgement_[trace_name(v.stage, v.layer)];
        j.weights = math_.weight_type(v.stage);
        for (size_t i = 0; i < exact.size(); ++i) {
            const double off = std::fabs(theirs[i] - exact[i]), sums = bound.sums[at + i];
            const double sources = bound.sources.empty() ? 0 : bound.sources[at + i];
            const auto over = [&](double limit) { return off == 0 ? 0 : off <= limit * 1e9 ? off / limit : HUGE_VAL; };  // NaN: infinite
            j.ratio = std::max(j.ratio, over(sums));
            j.ratio_with_sources = std::max(j.ratio_with_sources, over(sums + sources));
            j.bound_squares += sums * sums;
        }
        j.n += exact.size();
    }

    const TraceReader& trace_;
    const RunShape& run_;
    const Certified& math_;
    int n_layer_;
    Judgement judgement_;
};

// Passes on the values of another probe, and tells how far the run is.
class Progress : public StepProbe {
public:
    Progress(StepProbe& inner, size_t n_tokens, int n_layer, std::function<void(double)> show)
        : inner_(inner), n_tokens_(n_tokens), n_layer_(n_layer), show_(std::move(show)) {}
    void begin_step(int first_token) override {
        StepProbe::begin_step(first_token);
        inner_.begin_step(first_token);
    }
    bool wants(Stage stage, int layer) const override { return stage == Stage::layer_out || inner_.wants(stage, layer); }
    bool visit(const Visit& v) override {
        if (v.stage == Stage::layer_out) {
            const double step = static_cast<double>(v.rows) * (v.layer + 1) / n_layer_;
            show_((first_token() + step) / static_cast<double>(n_tokens_));
        }
        return inner_.wants(v.stage, v.layer) && inner_.visit(v);
    }

private:
    StepProbe& inner_;
    size_t n_tokens_;
    int n_layer_;
    std::function<void(double)> show_;
};

class Comparison {
public:
    explicit Comparison(const CompareInput& input)
        : in_(input),
          config_(input.model.config()),
          reference_(input.reference),
          run_{input.reference.n_tokens(), config_.attention},
          options_(input.ours) {
        options_.n_pages = pages_for(static_cast<int>(run_.n_tokens));
    }

    Report run() {
        check_tokens();
        report_.config = &config_;
        report_.tokens = reference_.about().tokens;
        report_.n_prompt = reference_.about().n_prompt;
        for (const std::string& constant : self_test(reference_))
            report_.notes.push_back("Stage " + constant + " is constant in the reference.");
        const TraceReader ours = run_free();
        describe_engines(ours.about());
        make_cells(ours);
        accumulate(ours);
        run_forced();
        run_oracle(ours);
        judge(ours);
        give_verdicts();
        look_at_logits(ours);
        look_through_lens(ours);
        conclude();
        return std::move(report_);
    }

private:
    void check_tokens() const {
        for (const int32_t id : reference_.about().tokens)
            if (id < 0 || id >= config_.n_vocab)
                throw InputError(reference_.path().string(),
                                 "token " + std::to_string(id) + " is outside the vocabulary of " + std::to_string(config_.n_vocab));
        if (run_.n_tokens > static_cast<size_t>(config_.n_ctx_train))
            throw InputError(reference_.path().string(),
                             std::to_string(run_.n_tokens) + " tokens are more than the context of " + std::to_string(config_.n_ctx_train));
    }

    bool has_square_stages() const {
        return std::ranges::any_of(reference_.tensors(),
                                   [](const auto& t) { return t.first.starts_with("attn_scores.") || t.first.starts_with("attn_probs."); });
    }
    std::set<Stage> stages() const {
        std::set<Stage> all = linear_stages();
        if (has_square_stages()) all.insert({Stage::attn_scores, Stage::attn_probs});
        return all;
    }
    // Runs the reference's tokens and shows how far it is.
    void drive(Numerics& math, StepProbe& probe, const char* what) const {
        Progress progress(probe, run_.n_tokens, config_.n_layer, [&](double share) { show(what, share); });
        parity::drive(math, {in_.model, reference_.about().tokens, reference_.about().n_prompt}, &progress);
    }
    void show(const char* what, double share) const {
        if (in_.progress) in_.progress(what, share);
    }

    TraceReader run_free() const {
        const auto path = in_.folder / "ours.safetensors";
        TraceAbout about = reference_.about();
        about.engine = "kylin";
        about.numerics = describe(options_);
        record(in_.model, options_, about, 0, stages(), path, [&](double share) { show("ours, free", share); });
        TraceReader ours = TraceReader::open(path);
        std::filesystem::remove(path);  // its bytes are gone with the process, however it ends
        return ours;
    }

    void describe_engines(const TraceAbout& ours) {
        report_.our_engine = ours.engine;
        report_.our_numerics = ours.numerics;
        report_.reference_engine = reference_.about().engine;
        report_.reference_numerics = reference_.about().numerics;
        for (const Weight& w : in_.model.weights())
            if (w.role != Role::vector) ++report_.weight_types[std::string(info(w.type).name)];
    }

    void make_cells(const TraceReader& ours) {
        for (const Place& at : pass_order(config_.n_layer)) {
            const std::string name = trace_name(at.stage, at.layer);
            const TraceTensor* own = ours.find(name);
            if (!reference_.find(name)) {
                report_.missing.push_back(name);
                continue;
            }
            if (!own) continue;
            const int n_heads = n_heads_of(at.stage, config_.attention);
            cells_.emplace(name, report_.cells.size());
            report_.cells.push_back({.stage = at.stage,
                                     .layer = at.layer,
                                     .rows = static_cast<int>(run_.n_tokens),
                                     .width = static_cast<int>(own->shape.back()),
                                     .n_heads = n_heads,
                                     .local = DifferenceSum(run_.n_tokens, n_heads),
                                     .accumulated = DifferenceSum(run_.n_tokens, n_heads)});
        }
        if (cells_.empty()) throw InputError(reference_.path().string(), "has no stage in common with this model");
    }

    Cell* cell(Stage stage, int layer) {
        const auto found = cells_.find(trace_name(stage, layer));
        return found == cells_.end() ? nullptr : &report_.cells[found->second];
    }

    // Reads both free runs from their files.
    void accumulate(const TraceReader& ours) {
        OutlierWatch outliers(report_);
        for (Cell& c : report_.cells) {
            const std::string name = trace_name(c.stage, c.layer);
            const TraceTensor &own = *ours.find(name), &theirs = *reference_.find(name);
            SummarySum a_sum, b_sum;
            std::vector<double> row(static_cast<size_t>(c.width));
            const size_t n_rows = own.n_values() / row.size();
            Visit all{.stage = c.stage, .layer = c.layer, .rows = static_cast<int>(n_rows), .width = c.width, .values = {}};
            check_shape(reference_, theirs, all, run_);
            for (size_t r = 0; r < n_rows; ++r) {
                const Segment segment{.token = static_cast<int>(r % run_.n_tokens),
                                      .head = is_square(c.stage) ? static_cast<int>(r / run_.n_tokens) : -1,
                                      .first = r * row.size(),
                                      .values = row};
                const auto b = read_segment(reference_, theirs, segment);
                if (!b) continue;
                ours.read(own, segment.first, row);
                c.accumulated.add(segment.token, segment.head, row, *b);
                a_sum.add(row), b_sum.add(*b);
                outliers.look({c.stage, c.layer}, segment.token, row, *b);
            }
            c.ours = a_sum.result(), c.reference = b_sum.result();
            outliers.finish(c);
        }
    }

    void run_forced() {
        const auto math = make_numerics(in_.model, options_);
        Forcer forcer(reference_, run_, Forcer::Mode::force, [&](const Visit& v, const Segment& own, std::span<const double> theirs) {
            if (Cell* c = cell(v.stage, v.layer)) c->local.add(own.token, own.head, own.values, theirs);
        });
        drive(*math, forcer, "ours, fed with the reference's inputs");
    }

    // How far each engine is from float64. A reference that is the oracle itself needs no other.
    void run_oracle(const TraceReader& ours) {
        noise_.assign(run_.n_tokens, nan);
        if (is_oracle(reference_.about())) {
            for (Cell& c : report_.cells) c.oracle_ours = c.accumulated.result().worst_row, c.oracle_reference = 0.0;
            return;
        }
        std::map<std::string, std::pair<DifferenceSum, DifferenceSum>> sums;
        const auto math =
            make_numerics(in_.model, {.kind = NumericsKind::oracle, .n_pages = options_.n_pages, .n_threads = options_.n_threads});
        Forcer watch(reference_, run_, Forcer::Mode::watch, [&](const Visit& v, const Segment& exact, std::span<const double> theirs) {
            const std::string name = trace_name(v.stage, v.layer);
            const TraceTensor* tensor = ours.find(name);
            if (!tensor) return;
            const int n_heads = n_heads_of(v.stage, config_.attention);
            auto& [a, b] =
                sums.try_emplace(name, DifferenceSum(run_.n_tokens, n_heads), DifferenceSum(run_.n_tokens, n_heads)).first->second;
            std::vector<double> own(exact.values.size());
            ours.read(*tensor, exact.first, own);
            a.add(exact.token, exact.head, own, exact.values);
            b.add(exact.token, exact.head, theirs, exact.values);
            if (v.stage != Stage::logits) return;
            double& noise = noise_[static_cast<size_t>(exact.token)] = 0;
            for (size_t i = 0; i < own.size(); ++i) noise = std::max(noise, std::fabs(own[i] - exact.values[i]));
        });
        drive(*math, watch, "oracle");
        for (auto& [name, pair] : sums) {
            Cell& c = report_.cells[cells_.at(name)];
            c.oracle_ours = pair.first.result().worst_row;
            c.oracle_reference = pair.second.result().worst_row;
        }
    }

    Judgement certify(const TraceReader& trace, const char* what) const {
        if (is_oracle(trace.about())) return {};
        Certified math(in_.model, {.kind = NumericsKind::oracle, .n_pages = options_.n_pages, .n_threads = options_.n_threads},
                       declared_by(trace.about()));
        Judge judge(trace, run_, math, config_.n_layer);
        drive(math, judge, what);
        return judge.take();
    }

    void judge(const TraceReader& ours) {
        our_judgement_ = certify(ours, "certified, ours");
        their_judgement_ = certify(reference_, "certified, reference");
    }

    void give_verdicts() {
        const Rounding ours = declared_by({.engine = "kylin", .numerics = report_.our_numerics, .tokens = {}}),
                       theirs = declared_by(reference_.about());
        for (Cell& c : report_.cells) {
            const std::string name = trace_name(c.stage, c.layer);
            const auto a = our_judgement_.find(name), b = their_judgement_.find(name);
            const Judged* own = a == our_judgement_.end() ? nullptr : &a->second;
            const Judged* other = b == their_judgement_.end() ? nullptr : &b->second;
            if (own || other) c.bound = use_of(own, other);
            c.amplification = amplification(c);
            const bool ours_wrong = own && own->ratio_with_sources > 1, theirs_wrong = other && other->ratio_with_sources > 1;
            if (ours_wrong || theirs_wrong) {
                c.verdict = Verdict::divergent;
                c.wrong = ours_wrong && theirs_wrong ? Wrong::both : ours_wrong ? Wrong::ours : Wrong::reference;
            } else if (c.local.result().max_abs == 0 && own) {
                c.verdict = Verdict::exact;
            } else if (!own || (!other && !is_oracle(reference_.about()))) {
                c.verdict = Verdict::not_judged;
            } else if ((c.noise = declared_difference(ours, theirs, c.stage, own->weights)) || own->ratio > 1 ||
                       (other && other->ratio > 1)) {
                c.verdict = Verdict::noise;
                if (!c.noise) c.noise = "attention in F16";
            } else {
                c.verdict = Verdict::rounding;
            }
        }
    }
    static BoundUse use_of(const Judged* ours, const Judged* reference) {
        const Judged& any = ours ? *ours : *reference;
        return {.ours = ours ? ours->ratio : nan,
                .reference = reference ? reference->ratio : nan,
                .typical = std::sqrt(any.bound_squares / static_cast<double>(std::max<size_t>(any.n, 1)))};
    }
    double amplification(const Cell& c) {
        double largest = 0;
        for (const Place& p : inputs_of({c.stage, c.layer}, config_.n_layer))
            if (const Cell* input = cell(p.stage, p.layer)) largest = std::max(largest, input->accumulated.result().worst_row);
        return largest == 0 ? nan : c.accumulated.result().worst_row / largest;
    }

    void look_at_logits(const TraceReader& ours) {
        const TraceTensor *own = ours.find("logits"), *theirs = reference_.find("logits");
        if (!own || !theirs) return;
        std::vector<int> tokens = theirs->rows;
        if (tokens.empty())
            for (size_t t = 0; t < run_.n_tokens; ++t) tokens.push_back(static_cast<int>(t));
        report_.logits = compare_logits(tokens, noise_, [&](int token, std::vector<double>& a, std::vector<double>& b) {
            a.resize(static_cast<size_t>(config_.n_vocab));
            const Segment segment{.token = token, .head = -1, .first = static_cast<size_t>(token) * a.size(), .values = a};
            ours.read(*own, segment.first, a);
            b = *read_segment(reference_, *theirs, segment);
        });
    }

    // The head over every layer's output of the last token, in float64.
    void look_through_lens(const TraceReader& ours) {
        const auto own = lens(ours), theirs = lens(reference_);
        for (size_t i = 0; i < std::min(own.size(), theirs.size()); ++i) report_.lens.push_back({own[i], theirs[i]});
    }
    std::vector<int> lens(const TraceReader& trace) const {
        std::vector<double> hidden;
        const auto width = static_cast<size_t>(config_.n_embd);
        for (int layer = 0; layer < config_.n_layer; ++layer) {
            const TraceTensor* tensor = trace.find(trace_name(Stage::layer_out, layer));
            std::vector<double> row(width);
            const int last = static_cast<int>(run_.n_tokens) - 1;
            const Segment segment{.token = last, .head = -1, .first = static_cast<size_t>(last) * width, .values = row};
            const auto values = tensor ? read_segment(trace, *tensor, segment) : std::nullopt;
            if (!values) return {};
            hidden.insert(hidden.end(), values->begin(), values->end());
        }
        return tops_of(hidden);
    }
    std::vector<int> tops_of(const std::vector<double>& hidden) const {
        const int n = config_.n_layer;
        const auto math = make_numerics(in_.model, {.kind = NumericsKind::oracle, .n_pages = 1, .n_threads = options_.n_threads});
        const std::vector<int32_t> pages(static_cast<size_t>(pages_for(n)), 0);
        Batch batch{.tokens = std::vector<int32_t>(static_cast<size_t>(n), 0),
                    .chunks = {{.first_row = 0, .n_rows = n, .first_position = 0, .pages = pages}},
                    .outputs = {}};
        math->begin(batch);
        const Value logits = in_.model.head(*math, math->put({Stage::layer_out, n, config_.n_embd}, hidden));
        std::vector<int> tops;
        std::vector<float> row(static_cast<size_t>(config_.n_vocab));
        for (int r = 0; r < n; ++r) {
            math->read_row(logits, r, row);
            tops.push_back(static_cast<int>(std::ranges::max_element(row) - row.begin()));
        }
        return tops;
    }

    void conclude() {
        for (const Cell& c : report_.cells) {
            if (c.verdict != Verdict::divergent) continue;
            const double ours = c.bound->ours, theirs = c.bound->reference;
            const double ratio = c.wrong == Wrong::reference ? theirs : ours;
            report_.first_divergence = {{c.stage, c.layer}, c.wrong, reason(c, ratio)};
            report_.wrong = c.wrong;
            break;
        }
        if (!report_.first_divergence) find_unjudged_divergence();
        report_.sentence = sentence();
        add_notes();
    }
    static std::string reason(const Cell& c, double ratio) {
        char text[160];
        std::snprintf(text, sizeof text, "given its own inputs, it is %.3g times the certified rounding bound from the float64 value",
                      ratio);
        return (c.wrong == Wrong::reference ? "the reference: " : c.wrong == Wrong::ours ? "ours: " : "both; ours: ") + std::string(text);
    }
    // Where inputs are missing nothing can be proven; a relative error of a tenth, given the same inputs, is still no rounding.
    void find_unjudged_divergence() {
        constexpr double large = 0.1;
        for (const Cell& c : report_.cells) {
            const Difference d = c.local.result();
            if (c.verdict != Verdict::not_judged || d.worst_row <= large) continue;
            report_.first_divergence = {
                {c.stage, c.layer}, Wrong::undecided, "the two differ by a tenth or more, and an input stage is missing in the reference"};
            report_.wrong = Wrong::undecided;
            return;
        }
    }
    std::string sentence() const {
        const std::string who =
            report_.reference_engine + (report_.reference_numerics.empty() ? "" : " (" + report_.reference_numerics + ")");
        if (!report_.first_divergence) {
            size_t judged = 0;
            for (const Cell& c : report_.cells) judged += c.verdict != Verdict::not_judged;
            return "Parity with " + who + ": in all " + std::to_string(judged) + " judged stages what differs is rounding.";
        }
        const auto& d = *report_.first_divergence;
        const std::string at =
            std::string(info(d.at.stage).name) + (info(d.at.stage).scope == Scope::once ? "" : " of layer " + std::to_string(d.at.layer));
        const char* wrong = d.wrong == Wrong::ours        ? "Kylin is wrong"
                            : d.wrong == Wrong::reference ? "the reference is wrong"
                            : d.wrong == Wrong::both      ? "both are wrong"
                                                          : "who is wrong cannot be told";
        return "First divergence from " + who + ": " + at + "; " + wrong + " (" + d.reason + ").";
    }
    void add_notes() {
        size_t unjudged = 0;
        for (const Cell& c : report_.cells) unjudged += c.verdict == Verdict::not_judged;
        if (unjudged)
            report_.notes.push_back(std::to_string(unjudged) + " stages were not judged: an input of each is missing in the reference.");
        if (!report_.missing.empty())
            report_.notes.push_back(std::to_string(report_.missing.size()) + " stages are missing in the reference.");
        report_.notes.push_back(
            "The oracle shares Kylin's order of stages: a mistake there shows as a wrong reference. The independent numpy model of the "
            "tests covers that.");
        for (int layer = 1; layer < config_.n_layer; ++layer) {
            const Cell *before = cell(Stage::layer_out, layer - 1), *c = cell(Stage::layer_out, layer);
            if (!before || !c) continue;
            const double e = before->accumulated.result().worst_row, f = c->accumulated.result().worst_row;
            if (e > 1e-9 && f > 2 * e) report_.notes.push_back("The error more than doubles in layer " + std::to_string(layer) + ".");
        }
    }

    const CompareInput& in_;
    const Config& config_;
    const TraceReader& reference_;
    RunShape run_;
    NumericsOptions options_;
    Report report_;
    std::map<std::string, size_t> cells_;  // index into report_.cells
    std::vector<double> noise_;            // of our logits, by token
    Judgement our_judgement_, their_judgement_;
};

}  // namespace

Report compare(const CompareInput& input) { return Comparison(input).run(); }

std::vector<int32_t> record(const Model& model, NumericsOptions options, const TraceAbout& about, int n_greedy, std::set<Stage> stages,
                            const std::filesystem::path& path, const std::function<void(double)>& progress) {
    const Run run{model, about.tokens, about.n_prompt, n_greedy};
    const RunShape shape{static_cast<size_t>(n_tokens(run)), model.config().attention};
    options.n_pages = pages_for(n_tokens(run));
    const auto math = make_numerics(model, options);
    TraceWriter writer(path, options.kind == NumericsKind::oracle ? TraceElement::f64 : TraceElement::f32,
                       header_room(n_stages * static_cast<size_t>(model.config().n_layer), shape.n_tokens));
    Recorder recorder(writer, shape, std::move(stages));
    Progress probe(recorder, shape.n_tokens, model.config().n_layer, [&](double share) {
        if (progress) progress(share);
    });
    TraceAbout written = about;
    written.tokens = drive(*math, run, &probe);
    writer.finish(written);
    return written.tokens;
}

}  // namespace kylin::parity
