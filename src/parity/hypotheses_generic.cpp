// What can be said where no mistake of the catalogue fits: how the values differ, not why.
#include <cmath>

#include "parity/hypotheses.h"
#include "parity/hypotheses_solve.h"

namespace kylin::parity {
namespace {

using enum Stage;

// The difference, when it is the same in every row.
std::vector<Values> constant_difference(const Evidence& e) {
    const size_t width = e.width(), rows = e.theirs().size() / width;
    if (rows < 2 || e.as_is().size() != e.theirs().size()) return {};
    Values difference(width);
    for (size_t i = 0; i < e.theirs().size(); ++i) difference[i % width] += (e.theirs()[i] - e.as_is()[i]) / static_cast<double>(rows);
    return {difference};
}

}  // namespace

std::vector<Hypothesis> generic_hypotheses() {
    return {
        {.name = "bias",
         .stages = {q_proj, k_proj, v_proj, attn_out, ffn_gate, ffn_up, ffn_down, logits},
         .explanation = "the same row is added to every token's: a bias that the model has not (or one that is dropped)",
         .fix = "compare the list of tensors: does the checkpoint have biases that the file has not?",
         .threads = "candle-vllm 167",
         .shows_with = "two or more tokens",
         .change =
             [](Form& f, const Use& u) {
                 f.after = [bias = u.values](std::span<double> row, int) {
                     if (row.size() != bias.size()) throw NotApplicable{};
                     for (size_t i = 0; i < row.size(); ++i) row[i] += bias[i];
                 };
             },
         .parameters = {{.name = "bias", .kind = Parameter::Kind::row}},
         .candidates = constant_difference,
         .generic = true},
        {.name = "output-scaled",
         .stages = {q_proj, k_proj, v_proj, attn_heads, attn_out, ffn_gate, ffn_up, ffn_act, ffn_down, attn_residual, layer_out, logits},
         .explanation = "the result is multiplied with {scale}",
         .fix = "look for a scale that another architecture has (a logit, residual or embedding multiplier) and this one has not",
         .threads = "",
         .shows_with = "any",
         .change = [](Form& f, const Use& u) { f.scale = u.values[0]; },
         .parameters = {{.name = "scale", .refine = true}},
         .candidates = scale_candidates,
         .generic = true},
        {.name = "branch-scaled",
         .stages = {attn_residual, layer_out},
         .explanation = "the branch is multiplied with {scale} before it is added",
         .fix = "look for a residual multiplier that another architecture has and this one has not",
         .threads = "",
         .shows_with = "any",
         .change = [](Form& f, const Use& u) { f.add.second = u.values[0]; },
         .parameters = {{.name = "scale", .refine = true}},
         .candidates = [](const Evidence& e) { return branch_scales(e); },
         .generic = true},
        {.name = "softcap-of-logits",
         .stages = {logits},
         .explanation = "the logits are capped: {cap} tanh(x / {cap})",
         .fix = "no soft cap of logits: it belongs to Gemma 2",
         .threads = "",
         .shows_with = "any",
         .change =
             [](Form& f, const Use& u) {
                 f.after = [cap = u.values[0]](std::span<double> row, int) {
                     for (double& x : row) x = cap * std::tanh(x / cap);
                 };
             },
         .parameters = {{.name = "cap", .refine = true}},
         .candidates =
             [](const Evidence&) {
                 return std::vector<Values>{{30}, {50}, {20}, {100}, {15}};
             }},
    };
}

}  // namespace kylin::parity
