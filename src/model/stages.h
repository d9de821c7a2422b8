// Every value a forward pass computes is named here, once.
// The forward pass, the probe, the trace files, the reports and the tests use these names and no others.
#pragma once
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>

namespace kylin {

enum class Scope : uint8_t { once, per_layer };

// clang-format off
//        name           scope       what it holds, one row per token
#define KYLIN_STAGES(stage) \
    stage(embedding,     once,       "embedding row of the token") \
    stage(attn_norm,     per_layer,  "RMS norm before attention") \
    stage(q_proj,        per_layer,  "queries, all heads") \
    stage(k_proj,        per_layer,  "keys, all KV heads") \
    stage(v_proj,        per_layer,  "values, all KV heads") \
    stage(q_norm,        per_layer,  "queries after the per-head norm") \
    stage(k_norm,        per_layer,  "keys after the per-head norm") \
    stage(q_rope,        per_layer,  "queries after rotation") \
    stage(k_rope,        per_layer,  "keys after rotation, before the KV cache rounds them") \
    stage(attn_scores,   per_layer,  "scaled q.k of visible keys, 0 elsewhere, [n_heads, n_tokens, n_keys]") \
    stage(attn_probs,    per_layer,  "softmax of the scores over visible keys, 0 elsewhere, same shape") \
    stage(attn_heads,    per_layer,  "attention output, all heads") \
    stage(attn_out,      per_layer,  "attention output projected to the hidden size") \
    stage(attn_residual, per_layer,  "layer input plus attn_out") \
    stage(ffn_norm,      per_layer,  "RMS norm before the feed-forward") \
    stage(ffn_gate,      per_layer,  "gate projection") \
    stage(ffn_up,        per_layer,  "up projection") \
    stage(ffn_act,       per_layer,  "silu(gate) * up") \
    stage(ffn_down,      per_layer,  "feed-forward output") \
    stage(layer_out,     per_layer,  "attn_residual plus ffn_down") \
    stage(final_norm,    once,       "RMS norm before the head, rows asked for only") \
    stage(logits,        once,       "one score per vocabulary entry, rows asked for only")
// clang-format on

enum class Stage : uint8_t {
#define KYLIN_STAGE_ENUM(name, scope, meaning) name,
    KYLIN_STAGES(KYLIN_STAGE_ENUM)
#undef KYLIN_STAGE_ENUM
};

struct StageInfo {
    std::string_view name;
    Scope scope;
    std::string_view meaning;
};

inline constexpr StageInfo stage_table[] = {
#define KYLIN_STAGE_INFO(name, scope, meaning) {#name, Scope::scope, meaning},
    KYLIN_STAGES(KYLIN_STAGE_INFO)
#undef KYLIN_STAGE_INFO
};
inline constexpr size_t n_stages = std::size(stage_table);

constexpr const StageInfo& info(Stage s) { return stage_table[static_cast<size_t>(s)]; }

constexpr std::optional<Stage> stage_named(std::string_view name) {
    for (size_t i = 0; i < n_stages; ++i)
        if (stage_table[i].name == name) return static_cast<Stage>(i);
    return std::nullopt;
}
static_assert(stage_named("logits") == Stage::logits);

// "q_rope.3" or "logits": the name in traces and reports.
inline std::string trace_name(Stage s, int layer) {
    const std::string name(info(s).name);
    return info(s).scope == Scope::once ? name : name + "." + std::to_string(layer);
}

}  // namespace kylin
