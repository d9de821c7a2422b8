#include "parity/compare.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "parity/conclude.h"
#include "parity/declared.h"
#include "parity/judge.h"
#include "parity/lens.h"
#include "parity/logits.h"
#include "parity/outliers.h"
#include "parity/probes.h"
#include "parity/record.h"
#include "parity/self_test.h"

namespace kylin::parity {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

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
        conclude(report_);
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
        return open_unlinked(path);
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
        return parity::judge(in_.model, options_, trace, [&](double share) { show(what, share); });
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

    void look_through_lens(const TraceReader& ours) {
        const auto own = lens(in_.model, ours, options_.n_threads), theirs = lens(in_.model, reference_, options_.n_threads);
        for (size_t i = 0; i < std::min(own.size(), theirs.size()); ++i) report_.lens.push_back({own[i], theirs[i]});
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

}  // namespace kylin::parity
