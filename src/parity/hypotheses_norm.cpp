// Mistakes in norms.
#include <cmath>

#include "parity/hypotheses.h"
#include "parity/hypotheses_solve.h"

namespace kylin::parity {
namespace {

using enum Stage;
const std::vector<Stage> norms = {attn_norm, q_norm, k_norm, ffn_norm, final_norm}, head_norms = {q_norm, k_norm};

double eps_of(const Model& model, const Place&) { return static_cast<double>(model.config().norm_eps); }

// The first row that shows it decides; all must agree later.
std::vector<Values> eps_candidates(const Evidence& e) {
    std::vector<Values> found = {{1e-5}, {1e-6}, {1e-12}, {1e-8}, {0}};
    if (const auto eps = solve_eps(e)) found.insert(found.begin(), {*eps});
    return found;
}

}  // namespace

std::vector<Hypothesis> norm_hypotheses() {
    return {
        {.name = "norm-eps",
         .stages = norms,
         .explanation = "the norm adds eps {eps} instead of {eps.expected} to the mean square",
         .fix = "read attention.layer_norm_rms_epsilon from the file",
         .threads = "llama.cpp 2373, 2384",
         .shows_with = "a token whose hidden state is small: mean(x^2) near eps",
         .change = [](Form& f, const Use& u) { f.norm.eps = u.values[0]; },
         .parameters = {{.name = "eps", .expected = eps_of, .refine = true}},
         .candidates = eps_candidates},
        {.name = "norm-missing",
         .stages = norms,
         .explanation = "the norm is left out: its output is its input",
         .fix = "apply the RMS norm of this stage",
         .threads = "quant.cpp 82 (Q and K norm missing)",
         .shows_with = "any",
         .change = [](Form& f, const Use&) { f.skip = true; }},
        {.name = "norm-weight-plus-one",
         .stages = norms,
         .explanation = "the norm multiplies with 1 + w: this file's weights already hold the 1, or never had it",
         .fix = "multiply with w (the 1 + w form belongs to Gemma's checkpoints)",
         .threads = "llama.cpp 5810",
         .shows_with = "any",
         .change = [](Form& f, const Use&) { f.norm.weight_plus = 1; }},
        {.name = "norm-weight-minus-one",
         .stages = norms,
         .explanation = "the norm multiplies with w - 1",
         .fix = "multiply with w: do not subtract the 1 a second time",
         .threads = "llama.cpp 5810",
         .shows_with = "any",
         .change = [](Form& f, const Use&) { f.norm.weight_plus = -1; }},
        {.name = "norm-weight-missing",
         .stages = norms,
         .explanation = "the norm is not multiplied with its weight",
         .fix = "multiply the normalized row with the norm's weight",
         .threads = "",
         .shows_with = "a model whose norm weights are not 1",
         .change = [](Form& f, const Use&) { f.norm.weightless = true; }},
        {.name = "layer-norm",
         .stages = norms,
         .explanation = "the mean is subtracted: a LayerNorm where the model has an RMS norm",
         .fix = "divide by the root of the mean square without subtracting the mean",
         .threads = "",
         .shows_with = "any",
         .change = [](Form& f, const Use&) { f.norm.centered = true; }},
        {.name = "norm-sum-for-mean",
         .stages = norms,
         .explanation = "the norm divides by the root of the sum of squares, not of their mean",
         .fix = "divide the sum of squares by the width",
         .threads = "",
         .shows_with = "any",
         .change = [](Form& f, const Use&) { f.norm.sum = true; }},
        {.name = "norm-eps-outside",
         .stages = norms,
         .explanation = "eps is added to the root instead of under it",
         .fix = "add eps to the mean square before the root",
         .threads = "",
         .shows_with = "a token whose hidden state is small",
         .change = [](Form& f, const Use&) { f.norm.eps_outside = true; }},
        {.name = "head-norm-whole-row",
         .stages = head_norms,
         .explanation = "one mean square over all heads instead of one per head",
         .fix = "normalize each head of head_dim values by itself (OLMo 2 norms the whole row, Qwen3 does not)",
         .threads = "",
         .shows_with = "any",
         .change = [](Form& f, const Use&) { f.norm.whole_row = true; }},
        {.name = "norm-after-rope",
         .stages = {q_norm, k_norm, q_rope, k_rope, attn_scores, attn_heads},
         .explanation = "queries and keys are rotated before their norm instead of after it",
         .fix = "norm first, then RoPE",
         .threads = "",
         .shows_with = "a token after the first, and norm weights that differ",
         .change =
             [](Form& f, const Use& u) {
                 if (u.at.stage == attn_scores || u.at.stage == attn_heads) f.input = q_norm, f.second_input = k_norm;
                 if (u.at.stage == q_rope) f.input = q_proj;
                 if (u.at.stage == k_rope) f.input = k_proj;
                 if (u.at.stage != q_norm && u.at.stage != k_norm) return;
                 const Rope rope = u.model.config().rope;
                 f.before = [rope](std::span<double> row, int position) { rotate(rope, position, row); };
             },
         .begins_at = head_norms},
        {.name = "layernorm-scaling",
         .stages = {attn_norm, ffn_norm},
         .explanation = "LayerNorm Scaling: the norm of layer n (from 1) is divided by sqrt(n); a model must be trained with it",
         .fix = "do not scale: the file does not declare it",
         .threads = "arXiv 2502.05795",
         .shows_with = "a layer after the first",
         .change = [](Form& f, const Use& u) { f.scale = 1 / std::sqrt(u.at.layer + 1.0); }},
        {.name = "norm-scaled",
         .stages = norms,
         .explanation = "the norm's result is multiplied with {scale}",
         .fix = "look for a scale that another architecture has and this one has not",
         .threads = "",
         .shows_with = "any",
         .change = [](Form& f, const Use& u) { f.scale = u.values[0]; },
         .parameters = {{.name = "scale", .expected = nullptr, .refine = true}},
         .candidates = [](const Evidence& e) { return scale_candidates(e); },
         .generic = true},
    };
}

}  // namespace kylin::parity
