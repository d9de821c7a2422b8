#include "parity/audit.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "parity/drive.h"
#include "parity/logits.h"
#include "parity/metrics.h"

namespace kylin::parity {
namespace {

// The values of one step.
class Keep : public Probe {
public:
    bool wants(Stage stage, int) const override { return !is_square(stage); }
    bool visit(const Visit& v) override {
        kept_[trace_name(v.stage, v.layer)].assign(v.values.begin(), v.values.end());
        return false;
    }
    std::span<const double> of(Stage stage, int layer) const { return kept_.at(trace_name(stage, layer)); }

private:
    std::map<std::string, std::vector<double>> kept_;
};

double relative_error(std::span<const double> ours, std::span<const double> exact) {
    DifferenceSum sum(1, 1);
    sum.add(0, -1, ours, exact);
    return sum.result().worst_row;
}

// Compares each stage with the oracle's, and goes on with the oracle's: the local error of every stage in one pass.
class Local : public Probe {
public:
    Local(const Keep& exact, Audited& audited) : exact_(exact), audited_(audited) {}
    bool wants(Stage stage, int) const override { return !is_square(stage); }
    bool visit(const Visit& v) override {
        const auto exact = exact_.of(v.stage, v.layer);
        const auto width = static_cast<size_t>(v.width);
        for (size_t first = 0; first < exact.size(); first += width) {
            const double error = relative_error(v.values.subspan(first, width), exact.subspan(first, width));
            if (error > (audited_.worst ? audited_.worst->relative_error : 0)) audited_.worst = {{v.stage, v.layer}, error};
        }
        std::ranges::copy(exact, v.values.begin());
        return true;
    }

private:
    const Keep& exact_;
    Audited& audited_;
};

void compare_row(Audited& audited, std::span<const double> ours, std::span<const double> exact) {
    double kl = kl_divergence(exact, ours);
    if (!std::isfinite(kl)) kl = std::numeric_limits<double>::infinity();
    ++audited.n_tokens;
    audited.kl_sum += kl;
    audited.kl_max = std::max(audited.kl_max, kl);
    audited.n_same_top += top(ours) == top(exact);
}

}  // namespace

void Audited::add(const Audited& other) {
    n_tokens += other.n_tokens;
    kl_sum += other.kl_sum;
    kl_max = std::max(kl_max, other.kl_max);
    n_same_top += other.n_same_top;
    if (other.worst && (!worst || other.worst->relative_error > worst->relative_error)) worst = other.worst;
}

// The forced run has keys and values of its own: pages behind those of the free one.
Auditor::Auditor(const Parts& parts)
    : parts_(parts), free_pages_(static_cast<size_t>(pages_for(parts.max_tokens))), forced_pages_(free_pages_.size()) {
    std::iota(free_pages_.begin(), free_pages_.end(), 0);
    std::iota(forced_pages_.begin(), forced_pages_.end(), static_cast<int32_t>(free_pages_.size()));
}

Audited Auditor::run(const AuditInput& input) {
    Audited audited;
    std::vector<float> row(static_cast<size_t>(parts_.model.config().n_vocab));
    const auto n_tokens = static_cast<int>(input.tokens.size());
    for (int first = 0; first < n_tokens; first += audit_rows) {
        const RunStep step{.first = first, .n = std::min(audit_rows, n_tokens - first), .first_output = input.n_prompt - 1};
        const auto pass = [&](Numerics& math, std::span<const int32_t> pages) {
            return drive_step(math, parts_.model, input.tokens, step, pages);
        };
        Keep exact;
        {
            const Attached attached(parts_.oracle, exact);
            pass(parts_.oracle, free_pages_);
        }
        {
            Local local(exact, audited);
            const Attached attached(parts_.ours, local);
            pass(parts_.ours, forced_pages_);
        }
        const Value logits = pass(parts_.ours, free_pages_);
        if (logits.rows == 0) continue;
        const auto exact_logits = exact.of(Stage::logits, 0);
        for (int r = 0; r < logits.rows; ++r) {
            parts_.ours.read_row(logits, r, row);
            if (input.see) input.see(row);
            compare_row(audited, std::vector<double>(row.begin(), row.end()),
                        exact_logits.subspan(static_cast<size_t>(r) * row.size(), row.size()));
        }
    }
    return audited;
}

size_t audit_bytes(const Config& config, KvType kv, int max_tokens) {
    const auto n = [](int x) { return static_cast<size_t>(x); };
    const AttentionShape& a = config.attention;
    const size_t pages = n(config.n_layer) * n(pages_for(max_tokens)), keys = n(a.n_head_kv) * n(a.head_dim),
                 heads = n(a.n_head) * n(a.head_dim);
    const size_t oracle = pages * page_positions * keys * 2 * sizeof(double);
    const size_t ours = 2 * pages * n(a.n_head_kv) * 2 * kv_page_bytes(kv, a.head_dim);
    // Rows of hidden size, of heads, of keys, of the feed-forward: as many as there are stages of each.
    const size_t layer = 6 * n(config.n_embd) + 4 * heads + 4 * keys + 3 * n(config.n_ff);
    const size_t step = audit_rows * (n(config.n_layer) * layer + 4 * n(config.n_vocab)) * sizeof(double);
    return oracle + ours + step;
}

}  // namespace kylin::parity
