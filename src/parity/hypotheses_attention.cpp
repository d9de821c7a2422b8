// Mistakes in attention.
#include <cmath>
#include <limits>

#include "gguf/block_codec.h"
#include "parity/hypotheses.h"
#include "parity/hypotheses_solve.h"

namespace kylin::parity {
namespace {

using enum Stage;
const std::vector<Stage> scores = {attn_scores, attn_heads}, masks = {attn_scores, attn_probs, attn_heads},
                         probs = {attn_probs, attn_heads}, heads = {attn_heads};

double scale_of(const Model& m, const Place&) { return m.config().attention.scale; }

std::vector<Values> attention_scales(const Evidence& e) {
    const Config& c = e.model().config();
    const double d = c.attention.head_dim;
    std::vector<Values> found = {{1},
                                 {1 / d},
                                 {1 / std::sqrt(static_cast<double>(c.n_embd) / c.attention.n_head)},
                                 {1 / std::sqrt(d / 2)},
                                 {1 / std::sqrt(2 * d)},
                                 {1 / std::sqrt(static_cast<double>(c.n_embd))},
                                 {std::sqrt(d)}};
    if (e.at().stage == attn_scores)
        if (const auto s = solve_scale(e)) found.insert(found.begin(), {*s * c.attention.scale});
    return found;
}

std::vector<Values> whole_numbers(std::initializer_list<double> list) {
    std::vector<Values> found;
    for (const double x : list) found.push_back({x});
    return found;
}

std::vector<Values> windows(const Evidence& e) {
    std::vector<Values> found;
    const auto tokens = e.tokens();
    for (int n = 1; !tokens.empty() && n <= tokens.back(); n += n < 64 ? 1 : n / 2) found.push_back({static_cast<double>(n)});
    return found;
}

// Puts the head's dimensions in the outer place: [head_dim, n_head] instead of [n_head, head_dim].
void interleave(std::span<double> row, int n_head) {
    const size_t n = static_cast<size_t>(n_head), dim = row.size() / n;
    const std::vector<double> old(row.begin(), row.end());
    for (size_t h = 0; h < n; ++h)
        for (size_t i = 0; i < dim; ++i) row[i * n + h] = old[h * dim + i];
}

double half(double x) { return static_cast<double>(f16_to_f32(f32_to_f16(static_cast<float>(x)))); }

}  // namespace

std::vector<Hypothesis> attention_hypotheses() {
    return {
        {.name = "attention-scale",
         .stages = scores,
         .explanation = "scores are multiplied with {scale} instead of {scale.expected}",
         .fix = "scale by 1/sqrt(head_dim), once",
         .threads = "llama.cpp PR 8444, 8473, 13951",
         .shows_with = "a token after the first",
         .change = [](Form& f, const Use& u) { f.attend.shape.scale = u.values[0]; },
         .parameters = {{.name = "scale", .expected = scale_of, .refine = true}},
         .candidates = attention_scales},
        {.name = "gqa-interleaved",
         .stages = scores,
         .explanation = "query head h reads KV head h mod n_kv instead of h / group: the KV heads are tiled, not repeated",
         .fix = "repeat each KV head group times in place (repeat_interleave)",
         .threads = "onnx PR 7274",
         .shows_with = "any",
         .change =
             [](Form& f, const Use& u) {
                 const int n = u.model.config().attention.n_head_kv;
                 if (n == 1 || n == u.model.config().attention.n_head) throw NotApplicable{};
                 f.attend.kv_head = [n](int h) { return h % n; };
             }},
        {.name = "kv-head-first-only",
         .stages = scores,
         .explanation = "every query head reads KV head 0",
         .fix = "query head h reads KV head h / (n_head / n_head_kv)",
         .threads = "",
         .shows_with = "any",
         .change = [](Form& f, const Use&) { f.attend.kv_head = [](int) { return 0; }; }},
        {.name = "kv-heads-reversed",
         .stages = scores,
         .explanation = "the KV heads are read in reversed order",
         .fix = "query head h reads KV head h / (n_head / n_head_kv)",
         .threads = "",
         .shows_with = "any",
         .change =
             [](Form& f, const Use& u) {
                 f.attend.kv_head = [n = u.model.config().attention.n_head_kv, g = u.model.config().attention.group()](int h) {
                     return n - 1 - h / g;
                 };
             }},
        {.name = "mask-sees-next",
         .stages = masks,
         .explanation = "the mask is off by {keys}: a token also sees the {keys} after it",
         .fix = "key position <= query position",
         .threads = "transformers PR 26792",
         .shows_with = "a prompt of two or more tokens",
         .change = [](Form& f, const Use& u) { f.attend.visible = [n = u.values[0]](int q, int k) { return k <= q + n; }; },
         .parameters = {{.name = "keys", .kind = Parameter::Kind::whole}},
         .candidates =
             [](const Evidence&) {
                 return whole_numbers({1, 2});
             }},
        {.name = "mask-hides-self",
         .stages = masks,
         .explanation = "the mask is off by one: a token does not see itself",
         .fix = "key position <= query position",
         .threads = "transformers PR 26792",
         .shows_with = "two or more tokens",
         .change = [](Form& f, const Use&) { f.attend.visible = [](int q, int k) { return k < q || (q == 0 && k == 0); }; }},
        {.name = "mask-missing",
         .stages = masks,
         .explanation = "there is no causal mask: tokens of the prompt see all of it",
         .fix = "key position <= query position",
         .threads = "",
         .shows_with = "a prompt of two or more tokens",
         .change = [](Form& f, const Use&) { f.attend.visible = [](int, int) { return true; }; }},
        {.name = "prefill-lost",
         .stages = masks,
         .explanation = "each token attends to itself alone",
         .fix = "write all keys and values of the prompt before attention, and let each token see those before it",
         .threads = "",
         .shows_with = "two or more tokens",
         .change = [](Form& f, const Use&) { f.attend.visible = [](int q, int k) { return q == k; }; }},
        {.name = "prompt-forgotten",
         .stages = masks,
         .explanation = "decoded tokens do not see the prompt",
         .fix = "keep the prompt's keys and values in the cache",
         .threads = "",
         .shows_with = "decoded tokens",
         .change = [](Form& f,
                      const Use& u) { f.attend.visible = [n = u.n_prompt](int q, int k) { return k <= q && (q < n || k >= n); }; }},
        {.name = "sliding-window",
         .stages = masks,
         .explanation = "a token sees the last {window} positions only",
         .fix = "full attention in every layer: this architecture has no window",
         .threads = "",
         .shows_with = "more tokens than the window",
         .change = [](Form& f, const Use& u) { f.attend.visible = [n = u.values[0]](int q, int k) { return k <= q && q - k < n; }; },
         .parameters = {{.name = "window", .kind = Parameter::Kind::whole}},
         .candidates = windows},
        {.name = "softcap",
         .stages = scores,
         .explanation = "scores are capped: {cap} tanh(x / {cap})",
         .fix = "no soft cap: it belongs to Gemma 2",
         .threads = "",
         .shows_with = "large scores",
         .change = [](Form& f, const Use& u) { f.attend.cap = u.values[0]; },
         .parameters = {{.name = "cap", .refine = true}},
         .candidates =
             [](const Evidence&) {
                 return whole_numbers({50, 30, 20, 100, 15, 10, 5, 2});
             }},
        {.name = "softmax-padding",
         .stages = probs,
         .explanation = "keys up to a multiple of {multiple}, zero in the cache, take part in the soft max",
         .fix = "mask the cells of the KV cache that hold nothing yet with -inf",
         .threads = "llama.cpp 3523",
         .shows_with = "a number of tokens that is no multiple",
         .change = [](Form& f, const Use& u) { f.attend.zero_keys = [m = u.values[0]](int n) { return std::ceil(n / m) * m - n; }; },
         .parameters = {{.name = "multiple", .kind = Parameter::Kind::whole}},
         .candidates =
             [](const Evidence&) {
                 return whole_numbers({32, 256, 64, 8, 16, 128, 512, 1024, 4});
             }},
        {.name = "softmax-padding-nan",
         .stages = probs,
         .explanation = "cells of the KV cache that nothing was written to hold a NaN, and it takes part in the soft max",
         .fix = "clear the cache when it is made, and replace the scores of hidden cells by -inf instead of adding -inf to them",
         .threads = "llama.cpp 3523",
         .shows_with = "any",
         .change = [](Form& f, const Use&) { f.attend.zero_keys = [](double) { return std::numeric_limits<double>::quiet_NaN(); }; }},
        {.name = "softmax-off-by-one",
         .stages = probs,
         .explanation = "the soft max has {extra} more in its denominator: exp(x) / ({extra} + sum)",
         .fix = "divide by the sum of the visible keys alone",
         .threads = "",
         .shows_with = "any",
         .change = [](Form& f, const Use& u) { f.attend.zero_keys = [n = u.values[0]](int) { return n; }; },
         .parameters = {{.name = "extra"}},
         .candidates = [](const Evidence&) { return whole_numbers({1}); }},
        {.name = "softmax-missing",
         .stages = probs,
         .explanation = "the scores are not put through a soft max",
         .fix = "soft max over the visible keys",
         .threads = "",
         .shows_with = "any",
         .change = [](Form& f, const Use&) { f.attend.no_softmax = true; }},
        {.name = "kv-slot-off-by-one",
         .stages = heads,
         .explanation = "values are read from the cache one position early",
         .fix = "write and read keys and values of a token at the same position",
         .threads = "tiny-llm 46",
         .shows_with = "two or more tokens",
         .change = [](Form& f, const Use&) { f.attend.value_at = [](int j, int) { return std::max(j - 1, 0); }; }},
        {.name = "decode-key-stale",
         .stages = scores,
         .explanation = "a token reads the key of the position before its own: attention runs before its key is in the cache",
         .fix = "write the new key before the scores are computed",
         .threads = "mlx-vlm 1983",
         .shows_with = "decoded tokens",
         .change = [](Form& f, const Use&) { f.attend.key_at = [](int j, int n) { return j == n - 1 ? std::max(j - 1, 0) : j; }; }},
        {.name = "v-cache-layout",
         .stages = heads,
         .explanation = "values are read as if the cache were transposed: [head_dim, n_keys] taken for [n_keys, head_dim]",
         .fix = "read the V cache in the layout it was written in",
         .threads = "llama.cpp 4010",
         .shows_with = "two or more tokens",
         .change = [](Form& f, const Use&) { f.attend.values_transposed = true; }},
        {.name = "heads-interleaved",
         .stages = heads,
         .explanation = "the heads' outputs are written [head_dim, n_head] instead of [n_head, head_dim]",
         .fix = "transpose to [tokens, n_head, head_dim] before merging the heads",
         .threads = "",
         .shows_with = "any",
         .change =
             [](Form& f, const Use& u) {
                 f.after = [n = u.model.config().attention.n_head](std::span<double> row, int) { interleave(row, n); };
             }},
        {.name = "kv-f16-undeclared",
         .stages = scores,
         .explanation = "keys and values are kept in F16, which the trace does not declare",
         .fix = "write kv=f16 in the trace's numerics: this is no bug",
         .threads = "",
         .shows_with = "any",
         .change = [](Form& f, const Use&) { f.attend.kept = RowForm::f16; },
         .rounds = true},
        {.name = "attention-f16-undeclared",
         .stages = masks,
         .explanation = "queries, keys, values and probabilities are rounded to F16, which the trace does not declare",
         .fix = "write kv=f16 in the trace's numerics: this is no bug",
         .threads = "",
         .shows_with = "any",
         .change = [](Form& f, const Use&) { f.attend.kept = f.attend.query = f.attend.probs = RowForm::f16; },
         .rounds = true},
        {.name = "kq-f16-overflow",
         .stages = scores,
         .explanation = "q.k is kept in F16 before it is scaled: beyond 65504 it is infinite, and its soft max not a number",
         .fix = "accumulate q.k in F32, or scale the query first",
         .threads = "llama.cpp PR 8412",
         .shows_with = "large queries and keys",
         .change = [](Form& f, const Use&) { f.attend.score = half; },
         .rounds = true},
        {.name = "rope-not-used",
         .stages = scores,
         .explanation = "attention reads queries and keys from before RoPE",
         .fix = "give attention the rotated queries and keys",
         .threads = "",
         .shows_with = "a token after the first",
         .change = [](Form& f, const Use&) { f.input = q_norm, f.second_input = k_norm; }},
        {.name = "keys-cached-before-rope",
         .stages = scores,
         .explanation = "the cache holds keys from before RoPE",
         .fix = "cache the rotated keys, or rotate them all when they are read",
         .threads = "",
         .shows_with = "a token after the first",
         .change = [](Form& f, const Use&) { f.second_input = k_norm; }},
    };
}

}  // namespace kylin::parity
