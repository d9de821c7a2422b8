#include "parity/ledger.h"

#include <cmath>

#include "base/error.h"
#include "numerics/certified.h"
#include "parity/declared.h"
#include "parity/logits.h"
#include "parity/probes.h"
#include "parity/record.h"

namespace kylin::parity {
namespace {

constexpr auto how_switched = "switched to float64, everything else as declared";

class Ledger {
public:
    explicit Ledger(const LedgerInput& input) : in_(input) {}

    // The logits of the oracle with some roundings.
    TraceReader with(const Rounding& rounding, const std::string& what) const {
        const Run run{in_.model, in_.about.tokens, in_.about.n_prompt};
        const RunShape shape{in_.about.tokens.size(), in_.model.config().attention};
        Declared math(in_.model, {.kind = NumericsKind::oracle, .n_pages = pages_for(n_tokens(run)), .n_threads = in_.ours.n_threads},
                      rounding);
        const auto path = in_.folder / "ledger.safetensors";
        TraceWriter writer(path, TraceElement::f64, header_room(1, shape.n_tokens));
        Recorder recorder(writer, shape, {Stage::logits});
        if (in_.progress) in_.progress("ledger, " + what, 0);
        drive(math, run, &recorder);
        writer.finish(in_.about);
        return open_unlinked(path);
    }
    TraceReader ours() const {
        const auto path = in_.folder / "ledger.safetensors";
        record(in_.model, in_.ours, in_.about, 0, {Stage::logits}, path, {});
        return open_unlinked(path);
    }

private:
    const LedgerInput& in_;
};

}  // namespace

Distance logit_distance(const TraceReader& a, const TraceReader& b) {
    const TraceTensor *p = a.find("logits"), *q = b.find("logits");
    if (!p || !q || p->shape != q->shape || p->shape.size() != 2) throw InputError("logits", "are missing in one run, or of other shapes");
    const size_t n_tokens = p->shape[0];
    std::vector<double> x(p->shape[1]), y(p->shape[1]);
    double error = 0, size = 0, kl = 0;
    for (size_t t = 0; t < n_tokens; ++t) {
        a.read(*p, t * x.size(), x);
        b.read(*q, t * y.size(), y);
        for (size_t i = 0; i < x.size(); ++i) error += (x[i] - y[i]) * (x[i] - y[i]), size += y[i] * y[i];
        kl += kl_divergence(y, x) / static_cast<double>(n_tokens);
    }
    return {error == 0 ? 0 : std::sqrt(error / size), kl};
}

std::vector<LedgerEntry> our_ledger(const LedgerInput& input) {
    TraceAbout about = input.about;
    about.engine = "kylin";
    about.numerics = describe(input.ours);
    const Rounding declared = declared_by(about);
    const Ledger ledger(input);
    const TraceReader exact = ledger.with({}, "oracle"), ours = ledger.ours();
    std::vector<LedgerEntry> entries;
    const auto add = [&](const std::string& source, const std::string& how, const Distance& d) {
        entries.push_back({.engine = "ours", .source = source, .how = how, .relative_error = d.relative_error, .kl = d.kl});
        return d.relative_error * d.relative_error;
    };
    const double total = add("all", "our run against the oracle", logit_distance(ours, exact));
    const TraceReader all = ledger.with(declared, "all declared roundings");
    double explained = add("order and width of sums", how_switched, logit_distance(ours, all));
    Rounding without = declared;
    without.inputs = Rounding::Inputs::none;
    if (declared.inputs != Rounding::Inputs::none)
        explained += add("quantized inputs of projections", how_switched, logit_distance(all, ledger.with(without, "exact inputs")));
    without = declared;
    without.kv = KvType::f32;
    if (declared.kv != KvType::f32)
        explained +=
            add("KV cache in " + std::string(name(declared.kv)), how_switched, logit_distance(all, ledger.with(without, "exact cache")));
    // Errors of independent sources add in squares; what is left over says how far that is from true here.
    add("residual", "all, less the parts above, in squares", {std::sqrt(std::fabs(total - explained)), std::nan("")});
    return entries;
}

LedgerEntry weight_ledger(const LedgerInput& input, const Model& f32_model) {
    LedgerInput other{f32_model, input.ours, input.about, input.folder, input.progress};
    const TraceReader quantized = Ledger(input).with({}, "these weights"), exact = Ledger(other).with({}, "F32 weights");
    const Distance d = logit_distance(quantized, exact);
    return {"model", "weight quantization", "the oracle on both files", d.relative_error, d.kl};
}

}  // namespace kylin::parity
