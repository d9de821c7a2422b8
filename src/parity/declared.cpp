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
    return "fast kv=" + std::string(name(options.kv));
}

Rounding declared_by(const TraceAbout& about) {
    const bool llama_cpp = about.engine.starts_with("llama.cpp"),
               kylin_fast = about.engine == "kylin" && about.numerics.starts_with("fast");
    Rounding r;
    if (kylin_fast) r.inputs = Rounding::Inputs::kylin;
    if (llama_cpp || says(about.numerics, "inputs=llama.cpp")) r.inputs = Rounding::Inputs::llama_cpp;
    if (llama_cpp || kylin_fast) r.lanes = 8;  // ggml sums squares in double and dots in vectors, Kylin both in vectors
    r.stored = says(about.numerics, "float64");
    for (const std::string kv : kv_type_names)
        if (says(about.numerics, "kv=" + kv)) r.kv = kv_type_named(kv);
    r.cache_queries = !kylin_fast && r.kv != KvType::f32;  // ggml rounds what meets an F16 or Q8_0 cache
    // Flash attention over quants sums in F32.
    r.half_sums = r.kv != KvType::q8_0 && (says(about.numerics, "flash-attn=on") || (llama_cpp && !says(about.numerics, "flash-attn=off")));
    return r;
}

bool is_oracle(const TraceAbout& about) { return about.engine == "kylin" && about.numerics == name(NumericsKind::oracle); }

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
    if (ours.cache_queries != reference.cache_queries)
        return ours.kv == KvType::q8_0 ? "queries rounded to Q8_0" : "queries and probabilities rounded to F16";
    return std::nullopt;
}

}  // namespace kylin::parity
