#include "server/metrics.h"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>

namespace kylin::server {
namespace {

void head(std::string& out, std::string_view name, std::string_view type, std::string_view help) {
    out += fmt::format("# HELP {0} {2}\n# TYPE {0} {1}\n", name, type, help);
}

template <class Number>
void counter(std::string& out, std::string_view name, Number value, std::string_view help) {
    head(out, name, "counter", help);
    out += fmt::format("{} {}\n", name, value);
}

template <class Number>
void gauge(std::string& out, std::string_view name, Number value, std::string_view help) {
    head(out, name, "gauge", help);
    out += fmt::format("{} {}\n", name, value);
}

void write(std::string& out, const AuditFigures& audit) {
    const parity::Audited& sum = audit.sum;
    counter(out, "kylin_audit_requests_total", audit.requests, "Answers that were computed again in float64.");
    gauge(out, "kylin_audit_waiting", audit.waiting, "Answers that are being audited, or wait for it.");
    head(out, "kylin_audit_skipped_total", "counter", "Answers chosen for the audit and left out, by the reason.");
    out += fmt::format("kylin_audit_skipped_total{{reason=\"behind\"}} {}\n", audit.dropped);
    out += fmt::format("kylin_audit_skipped_total{{reason=\"long\"}} {}\n", audit.too_long);
    counter(out, "kylin_audit_not_reproduced_total", audit.not_reproduced, "Audited answers that the same numerics, alone, does not give.");
    counter(out, "kylin_audit_tokens_total", static_cast<uint64_t>(sum.n_tokens), "Tokens of audited answers.");
    counter(out, "kylin_audit_top1_same_total", static_cast<uint64_t>(sum.n_same_top),
            "Of these, tokens whose likeliest choice is the same.");
    counter(out, "kylin_audit_kl_nats_total", sum.kl_sum, "Sum over these tokens of the KL divergence from float64.");
    gauge(out, "kylin_audit_kl_nats_max", sum.kl_max, "Largest KL divergence of a token from float64.");
    if (!sum.worst) return;
    head(out, "kylin_audit_worst_stage_relative_error", "gauge", "Largest relative error of a stage, given float64's inputs.");
    const auto& [at, error] = *sum.worst;
    const std::string layer = info(at.stage).scope == Scope::once ? "" : std::to_string(at.layer);
    out += fmt::format("kylin_audit_worst_stage_relative_error{{stage=\"{}\",layer=\"{}\"}} {}\n", info(at.stage).name, layer, error);
}

}  // namespace

void Histogram::observe(double seconds) {
    const auto at = std::lower_bound(bounds.begin(), bounds.end(), seconds);
    ++counts_[static_cast<size_t>(at - bounds.begin())];
    sum_ += seconds;
}

void Histogram::write(std::string& out, std::string_view name, std::string_view help) const {
    head(out, name, "histogram", help);
    uint64_t total = 0;
    for (size_t i = 0; i < bounds.size(); ++i) out += fmt::format("{}_bucket{{le=\"{}\"}} {}\n", name, bounds[i], total += counts_[i]);
    total += counts_.back();
    out += fmt::format("{0}_bucket{{le=\"+Inf\"}} {1}\n{0}_sum {2}\n{0}_count {1}\n", name, total, sum_);
}

std::string Metrics::text(const Others& others) const {
    const auto& [load, watched, audit, n_connections, version] = others;
    std::string out;
    head(out, "kylin_build_info", "gauge", "Always 1; the label tells the program's version.");
    out += fmt::format("kylin_build_info{{version=\"{}\"}} 1\n", version);
    head(out, "kylin_http_requests_total", "counter", "Requests by route and status.");
    for (const auto& [key, n] : http_requests)
        out += fmt::format("kylin_http_requests_total{{route=\"{}\",status=\"{}\"}} {}\n", key.first, key.second, n);
    head(out, "kylin_answers_total", "counter", "Answers of the engine by the reason of their end.");
    for (const auto& [reason, n] : answers) out += fmt::format("kylin_answers_total{{reason=\"{}\"}} {}\n", reason, n);
    counter(out, "kylin_rejected_total", rejected, "Requests refused because the queue was full.");
    counter(out, "kylin_abandoned_total", abandoned, "Requests whose client went away or read too slowly.");
    counter(out, "kylin_prompt_tokens_total", prompt_tokens, "Tokens of all prompts.");
    counter(out, "kylin_prompt_tokens_cached_total", cached_tokens, "Tokens of prompts that were still in the KV cache.");
    counter(out, "kylin_answer_tokens_total", answer_tokens, "Tokens of all answers.");
    counter(out, "kylin_draft_tokens_total", drafted_tokens, "Tokens guessed from the text so far, and run beside an answer's own.");
    counter(out, "kylin_draft_tokens_accepted_total", accepted_tokens, "Of these, the ones that became the answer.");
    gauge(out, "kylin_connections", n_connections, "Open connections.");
    gauge(out, "kylin_answers_running", static_cast<size_t>(load.n_running), "Answers that take part in steps.");
    gauge(out, "kylin_answers_waiting", static_cast<size_t>(load.n_waiting), "Answers that wait for a place.");
    gauge(out, "kylin_kv_pages", static_cast<size_t>(load.n_pages), "Pages of the KV cache, 64 positions each.");
    gauge(out, "kylin_kv_pages_used", static_cast<size_t>(load.n_pages_used), "Pages of running answers.");
    gauge(out, "kylin_kv_pages_kept", static_cast<size_t>(load.n_pages_kept), "Pages of ended answers, given up when others need them.");
    counter(out, "kylin_watched_answers_total", watched.n_total(), "Answers whose values were watched.");
    gauge(out, "kylin_f16_headroom_ratio", watched.least_headroom(), "F16's largest number over the largest value of all watched answers.");
    if (audit) write(out, *audit);
    first_token.write(out, "kylin_time_to_first_token_seconds", "From the request to its first token.");
    inter_token.write(out, "kylin_inter_token_seconds", "Between two tokens of one answer.");
    whole_answer.write(out, "kylin_answer_seconds", "From the request to the end of its answer.");
    return out;
}

}  // namespace kylin::server
