#include "parity/declared.h"

namespace kylin::parity {
namespace {

bool says(const std::string& text, std::string_view word) {
    return (" " + text + " ").find(" " + std::string(word) + " ") != std::string::npos;
}

std::string_view name(RowForm form) {
    constexpr std::string_view names[] = {"F32", "F16", "BF16", "Q8_0", "Q8_1", "Q8_K"};  // in the order of RowForm
    return names[static_cast<size_t>(form)];
}

}  // namespace

std::string describe(const NumericsOptions& options) {
    if (options.kind != NumericsKind::fast) return std::string(name(options.kind));
    return options.kv == KvType::f32 ? "fast kv=f32" : "fast kv=f16";
}

Rounding declared_by(const TraceAbout& about) {
    Rounding r;
    if (about.engine.starts_with("llama.cpp")) {
        r.inputs = Rounding::Inputs::llama_cpp;
        r.lanes = 8;  // ggml sums squares in double, dots in vectors
        const bool f32 = says(about.numerics, "kv=f32");
        r.kv = f32 ? KvType::f32 : KvType::f16;
        r.half_queries = !f32;
        r.half_sums = !says(about.numerics, "flash-attn=off");
    } else if (about.engine == "kylin" && about.numerics.starts_with("fast")) {
        r.inputs = Rounding::Inputs::kylin;
        r.lanes = 8;
        r.kv = says(about.numerics, "kv=f32") ? KvType::f32 : KvType::f16;
    }
    return r;
}

bool is_exact(const TraceAbout& about) { return about.numerics == "oracle" || says(about.numerics, "float64"); }

std::optional<std::string> declared_difference(const Rounding& ours, const Rounding& reference, Stage stage,
                                               std::optional<BlockType> weights) {
    if (weights) {
        const RowForm a = row_form(ours.inputs, *weights), b = row_form(reference.inputs, *weights);
        if (a != b) return "inputs rounded to " + std::string(name(a)) + " by ours, to " + std::string(name(b)) + " by the reference";
        return std::nullopt;
    }
    if (!is_square(stage) && stage != Stage::attn_heads) return std::nullopt;
    if (ours.half_sums != reference.half_sums) return "flash attention sums in F16";
    if (ours.kv != reference.kv) return "KV cache in another type";
    if (ours.half_queries != reference.half_queries) return "queries and probabilities rounded to F16";
    return std::nullopt;
}

}  // namespace kylin::parity
