#include "cli/compare_text.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace kylin::cli {
namespace {

using parity::Cell;
using parity::Verdict;

// Neighbouring stages share a line.
struct Line {
    const char* title;
    std::vector<Stage> stages;
};
const std::vector<Line>& lines() {
    using enum Stage;
    static const std::vector<Line> table = {{"embedding", {embedding}},
                                            {"attn_norm", {attn_norm}},
                                            {"q, k, v_proj", {q_proj, k_proj, v_proj}},
                                            {"q, k_norm", {q_norm, k_norm}},
                                            {"q, k_rope", {q_rope, k_rope}},
                                            {"scores, probs", {attn_scores, attn_probs}},
                                            {"attn_heads", {attn_heads}},
                                            {"attn_out, residual", {attn_out, attn_residual}},
                                            {"ffn norm, gate, up", {ffn_norm, ffn_gate, ffn_up}},
                                            {"ffn_act, ffn_down", {ffn_act, ffn_down}},
                                            {"layer_out", {layer_out}},
                                            {"final_norm", {final_norm}},
                                            {"logits", {logits}}};
    return table;
}

// The worst of all layers of a line's stages.
struct Row {
    double local = 0, accumulated = 0;
    double bound_ours = std::nan(""), bound_reference = std::nan("");  // NaN: not judged
    int worst_layer = 0;
    Verdict verdict = Verdict::exact;
    bool empty = true;
};

// Worse verdicts last.
int rank(Verdict v) {
    switch (v) {
        case Verdict::exact:
            return 0;
        case Verdict::rounding:
            return 1;
        case Verdict::noise:
            return 2;
        case Verdict::not_judged:
            return 3;
        case Verdict::divergent:
            return 4;
    }
    return 4;
}

Row row_of(const Line& line, const parity::Report& report) {
    Row row;
    for (const Cell& c : report.cells) {
        if (std::ranges::find(line.stages, c.stage) == line.stages.end()) continue;
        const double local = c.local.result().worst_row;
        if (row.empty || !(local <= row.local)) row.local = local, row.worst_layer = c.layer;
        row.empty = false;
        row.accumulated = std::max(row.accumulated, c.accumulated.result().worst_row);
        if (c.bound)
            row.bound_ours = std::fmax(row.bound_ours, c.bound->ours),
            row.bound_reference = std::fmax(row.bound_reference, c.bound->reference);
        if (rank(c.verdict) > rank(row.verdict)) row.verdict = c.verdict;
    }
    return row;
}

class Paint {
public:
    explicit Paint(bool on) : on_(on) {}
    std::string operator()(const std::string& text, Verdict v) const {
        const char* code = v == Verdict::divergent ? "31" : v == Verdict::noise || v == Verdict::not_judged ? "33" : "32";
        return on_ ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : text;
    }

private:
    bool on_;
};

std::string ratio_text(double ratio) { return std::isnan(ratio) ? "-" : fmt::format("{:.2g}", ratio); }

std::string logits_text(const parity::LogitReport& l) {
    const std::string first = l.first_difference
                                  ? fmt::format("first other choice after token {}: margin {:.2g}, noise {:.2g}", l.first_difference->token,
                                                l.first_difference->margin, l.first_difference->noise)
                                  : "every choice is the same";
    return fmt::format("logits: KL {:.2g} ± {:.1g} nats, top-1 agreement {:.4g} %, {}\n", l.kl_mean, l.kl_standard_error, 100 * l.top1,
                       first);
}

}  // namespace

std::string summary_text(const parity::Report& r, bool colour) {
    const Paint paint(colour);
    std::string text = fmt::format("{}\n\n", paint(r.sentence, r.first_divergence ? Verdict::divergent : Verdict::exact));
    text += fmt::format("{:<20}{:>10}{:>7}{:>13}{:>11}{:>12}  {}\n", "stage", "local", "layer", "accumulated", "bound ours", "reference",
                        "verdict");
    for (const Line& line : lines()) {
        const Row row = row_of(line, r);
        if (row.empty) continue;
        text += fmt::format("{:<20}{:>10.2g}{:>7}{:>13.2g}{:>11}{:>12}  {}\n", line.title, row.local, row.worst_layer, row.accumulated,
                            ratio_text(row.bound_ours), ratio_text(row.bound_reference),
                            paint(std::string(parity::name(row.verdict)), row.verdict));
    }
    text += "local: relative error on the reference's inputs; bound: largest error / certified rounding bound.\n";
    if (r.logits) text += logits_text(*r.logits);
    for (const auto& e : r.ledger) text += fmt::format("{:>9}: {:<44} {:.2g} of the logits\n", e.engine, e.source, e.relative_error);
    if (r.diagnosis) text += "diagnosis: " + r.diagnosis->sentence + "\n";
    if (const auto& n = r.first_not_finite)
        text += fmt::format("not finite: first in {} of {}, token {}\n", trace_name(n->at.stage, n->at.layer),
                            n->in_ours ? "ours" : "the reference", n->token);
    return text;
}

}  // namespace kylin::cli
