#include "parity/report.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "parity/diagnose_json.h"

namespace kylin::parity {
namespace {

using Json = nlohmann::ordered_json;

// Four digits are enough for an error, and keep a report of 600 cells readable.
Json number(double x) {
    if (!std::isfinite(x)) return nullptr;
    if (x == 0) return 0;
    const double scale = std::pow(10, 5 - std::ceil(std::log10(std::fabs(x))));
    return std::isfinite(scale) && scale > 0 ? std::round(x * scale) / scale : x;
}

Json numbers(const std::vector<double>& xs) {
    Json list = Json::array();
    for (const double x : xs) list.push_back(number(x));
    return list;
}

Json layer(const Place& at) { return info(at.stage).scope == Scope::once ? Json(nullptr) : Json(at.layer); }

Json difference(const DifferenceSum& sum) {
    const Difference d = sum.result();
    return {{"max_abs", number(d.max_abs)},
            {"mean_abs", number(d.mean_abs)},
            {"rmse", number(d.rmse)},
            {"nmse", number(d.nmse)},
            {"cosine", std::isfinite(d.cosine) ? Json(d.cosine) : Json(nullptr)},
            {"snr_db", d.nmse == 0 ? Json(nullptr) : number(-10 * std::log10(d.nmse))},
            {"worst_row", number(d.worst_row)},
            {"worst_token", d.worst_token},
            {"ulp_histogram", sum.ulps()}};
}

Json summary(const Summary& s) {
    return {{"mean", number(s.mean)}, {"std", number(s.std)}, {"min", number(s.min)},          {"max", number(s.max)},
            {"nan", s.nan},           {"inf", s.inf},         {"headroom", number(s.headroom)}};
}

Json cell(const Cell& c) {
    Json worst = Json::array();
    for (const WorstElement& e : c.local.worst())
        worst.push_back({{"token", e.token},
                         {"head", e.head < 0 ? Json(nullptr) : Json(e.head)},
                         {"channel", e.channel},
                         {"ours", number(e.ours)},
                         {"reference", number(e.reference)}});
    const auto threshold = seed_threshold(c.stage);
    return {
        {"stage", info(c.stage).name},
        {"layer", layer({c.stage, c.layer})},
        {"rows", c.rows},
        {"width", c.width},
        {"n_heads", c.n_heads},
        {"verdict", name(c.verdict)},
        {"noise", c.noise ? Json(*c.noise) : Json(nullptr)},
        {"local", difference(c.local)},
        {"accumulated", difference(c.accumulated)},
        {"amplification", number(c.amplification)},
        {"oracle", c.oracle_ours ? Json{{"ours", number(*c.oracle_ours)}, {"reference", number(*c.oracle_reference)}} : Json(nullptr)},
        {"bound",
         c.bound ? Json{{"ours", number(c.bound->ours)}, {"reference", number(c.bound->reference)}, {"typical", number(c.bound->typical)}}
                 : Json(nullptr)},
        {"non_outlier_nmse", number(c.accumulated.non_outlier_nmse())},
        {"ours", summary(c.ours)},
        {"reference", summary(c.reference)},
        {"per_token", {{"local", numbers(c.local.per_token())}, {"accumulated", numbers(c.accumulated.per_token())}}},
        {"per_head", c.n_heads > 1 ? numbers(c.local.per_head()) : Json(nullptr)},
        {"worst", worst},
        {"threshold", threshold ? Json(*threshold) : Json(nullptr)}};
}

Json logits(const LogitReport& l) {
    Json first = nullptr;
    if (const auto& d = l.first_difference)
        first = {{"token", d->token},
                 {"ours", d->ours},
                 {"reference", d->reference},
                 {"margin", number(d->margin)},
                 {"noise", number(d->noise)}};
    return {{"kl_mean", number(l.kl_mean)},
            {"kl_standard_error", number(l.kl_standard_error)},
            {"kl_max", number(l.kl_max)},
            {"kl_max_token", l.kl_max_token},
            {"top1_agreement", number(l.top1)},
            {"top5_agreement", number(l.top5)},
            {"top10_agreement", number(l.top10)},
            {"least_margin", number(l.least_margin)},
            {"least_margin_token", l.least_margin_token},
            {"first_difference", first}};
}

std::string text_of(const Report& r, int32_t id) {
    const auto found = r.texts.find(id);
    return found == r.texts.end() ? std::string() : found->second;
}

// From which layer on the top token is the last layer's.
int settled(const std::vector<LensLayer>& lens, int LensLayer::*top) {
    int layer = static_cast<int>(lens.size()) - 1;
    while (layer > 0 && lens[static_cast<size_t>(layer) - 1].*top == lens.back().*top) --layer;
    return layer;
}

Json lens(const Report& r) {
    if (r.lens.empty()) return nullptr;
    Json layers = Json::array();
    for (size_t i = 0; i < r.lens.size(); ++i)
        layers.push_back({{"layer", i},
                          {"ours", r.lens[i].ours},
                          {"reference", r.lens[i].reference},
                          {"ours_text", text_of(r, r.lens[i].ours)},
                          {"reference_text", text_of(r, r.lens[i].reference)}});
    return {{"ours_settled", settled(r.lens, &LensLayer::ours)},
            {"reference_settled", settled(r.lens, &LensLayer::reference)},
            {"layers", layers}};
}

Json outliers(const Report& r) {
    constexpr const char* states[] = {"both", "missing in ours", "missing in reference"};  // in the order of Massive::State
    Json massive = Json::array();
    for (const Massive& m : r.massive)
        massive.push_back({{"layer", m.layer},
                           {"token", m.token},
                           {"channel", m.channel},
                           {"ours", number(m.ours)},
                           {"reference", number(m.reference)},
                           {"state", states[static_cast<size_t>(m.state)]}});
    Json not_finite = nullptr;
    if (const auto& n = r.first_not_finite)
        not_finite = {
            {"engine", n->in_ours ? "ours" : "reference"}, {"stage", info(n->at.stage).name}, {"layer", layer(n->at)}, {"token", n->token}};
    return {{"massive", massive},
            {"least_headroom",
             {{"bits", number(r.least_headroom)}, {"stage", info(r.least_headroom_at.stage).name}, {"layer", layer(r.least_headroom_at)}}},
            {"first_not_finite", not_finite}};
}

Json model(const Report& r) {
    const Config& c = *r.config;
    return {{"path", r.model_path},
            {"name", c.name},
            {"architecture", c.architecture},
            {"n_layer", c.n_layer},
            {"n_embd", c.n_embd},
            {"n_ff", c.n_ff},
            {"n_head", c.attention.n_head},
            {"n_head_kv", c.attention.n_head_kv},
            {"head_dim", c.attention.head_dim},
            {"n_vocab", c.n_vocab},
            {"weights", r.weight_types}};
}

Json stages() {
    Json list = Json::array();
    for (const StageInfo& s : stage_table)
        list.push_back({{"name", s.name}, {"per_layer", s.scope == Scope::per_layer}, {"meaning", s.meaning}});
    return list;
}

Json json_of(const Report& r) {
    Json tokens = Json::array(), cells = Json::array(), ledger = Json::array(), divergence = nullptr;
    for (const int32_t id : r.tokens) tokens.push_back({{"id", id}, {"text", text_of(r, id)}});
    for (const Cell& c : r.cells) cells.push_back(cell(c));
    for (const LedgerEntry& e : r.ledger)
        ledger.push_back({{"engine", e.engine},
                          {"source", e.source},
                          {"relative_error", number(e.relative_error)},
                          {"kl", number(e.kl)},
                          {"how", e.how}});
    if (const auto& d = r.first_divergence)
        divergence = {{"stage", info(d->at.stage).name}, {"layer", layer(d->at)}, {"wrong", name(d->wrong)}, {"reason", d->reason}};
    return {{"format", "kylin.report/1"},
            {"sentence", r.sentence},
            {"verdict", r.first_divergence ? "divergence" : "parity"},
            {"wrong", name(r.wrong)},
            {"command", r.command},
            {"model", model(r)},
            {"ours", {{"engine", r.our_engine}, {"numerics", r.our_numerics}}},
            {"reference", {{"engine", r.reference_engine}, {"numerics", r.reference_numerics}}},
            {"tokens", tokens},
            {"n_prompt", r.n_prompt},
            {"stages", stages()},
            {"first_divergence", divergence},
            {"missing", r.missing},
            {"cells", cells},
            {"logits", r.logits ? logits(*r.logits) : Json(nullptr)},
            {"lens", lens(r)},
            {"outliers", outliers(r)},
            {"ledger", ledger},
            {"diagnosis", r.diagnosis ? json_of(*r.diagnosis) : Json(nullptr)},
            {"notes", r.notes}};
}

constexpr auto replace_bad_utf8 = Json::error_handler_t::replace;

}  // namespace

std::string_view name(Wrong w) {
    constexpr std::string_view names[] = {"none", "ours", "reference", "both", "undecided"};  // in the order of Wrong
    return names[static_cast<size_t>(w)];
}

std::string_view name(Verdict v) {
    constexpr std::string_view names[] = {"exact", "rounding", "noise", "divergent", "not judged"};  // in the order of Verdict
    return names[static_cast<size_t>(v)];
}

std::optional<double> seed_threshold(Stage s) {
    switch (s) {
        case Stage::embedding:
            return 1e-5;
        case Stage::q_norm:
        case Stage::k_norm:
            return 1e-4;
        case Stage::attn_heads:
        case Stage::attn_out:
        case Stage::ffn_act:
        case Stage::ffn_down:
            return 1e-3;
        case Stage::logits:
            return 0.1;
        default:
            return std::nullopt;
    }
}

std::string to_json(const Report& report) { return json_of(report).dump(1, ' ', false, replace_bad_utf8) + "\n"; }

std::string to_html(const Report& report, std::string page) {
    constexpr std::string_view place = "/*KYLIN_REPORT*/";
    std::string text = json_of(report).dump(-1, ' ', false, replace_bad_utf8);
    for (size_t at = 0; (at = text.find('<', at)) != std::string::npos;) text.replace(at, 1, "\\u003c");  // no tag ends the script element
    const size_t at = page.find(place);
    if (at == std::string::npos) throw InputError("report template", "has no " + std::string(place));
    return page.replace(at, place.size(), text);
}

}  // namespace kylin::parity
