// Mistakes in the embedding, the feed-forward network, the residuals and the order of layers.
#include <cmath>
#include <numbers>

#include "parity/hypotheses.h"
#include "parity/hypotheses_solve.h"

namespace kylin::parity {
namespace {

using enum Stage;

double gelu(double x) { return 0.5 * x * (1 + std::erf(x / std::numbers::sqrt2)); }
double gelu_tanh(double x) { return 0.5 * x * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x))); }
double gelu_quick(double x) { return x / (1 + std::exp(-1.702 * x)); }
double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// The largest magnitude, when so many share it that it must be a limit.
std::vector<Values> limits(const Evidence& e) {
    double top = 0;
    for (const double x : e.theirs()) top = std::max(top, std::fabs(x));
    return {{top}};
}

template <double (*activation)(double)>
Hypothesis wrong_activation(std::string_view name, std::string_view explanation) {
    return {.name = name,
            .stages = {ffn_act},
            .explanation = explanation,
            .fix = "silu(gate) * up",
            .threads = "",
            .shows_with = "any",
            .change = [](Form& f, const Use&) { f.gate.activation = activation; }};
}

double relu(double x) { return std::max(x, 0.0); }
double identity(double x) { return x; }

}  // namespace

std::vector<Hypothesis> input_hypotheses() {
    return {
        {.name = "other-tokens",
         .stages = {embedding},
         .explanation = "the rows are those of other tokens than the trace declares: {ids}",
         .fix = "compare the token ids first: the pre-tokenizer (tokenizer.ggml.pre) or an added BOS differs",
         .threads = "llama.cpp 6920",
         .shows_with = "any",
         .change =
             [](Form& f, const Use& u) {
                 f.token = [ids = u.values](int32_t token, int position) {
                     const double id = static_cast<size_t>(position) < ids.size() ? ids[static_cast<size_t>(position)] : -1;
                     return id < 0 ? token : static_cast<int32_t>(id);  // -1: was not looked for
                 };
             },
         .parameters = {{.name = "ids", .kind = Parameter::Kind::tokens}},
         .candidates = [](const Evidence& e) { return std::vector<Values>{find_tokens(e)}; }},
        {.name = "embedding-scale",
         .stages = {embedding},
         .explanation = "the embedding is multiplied with {scale}",
         .fix = "no scale here: sqrt(n_embd) belongs to Gemma",
         .threads = "",
         .shows_with = "any",
         .change = [](Form& f, const Use& u) { f.scale = u.values[0]; },
         .parameters = {{.name = "scale", .refine = true}},
         .candidates = scale_candidates},
    };
}

std::vector<Hypothesis> feed_forward_hypotheses() {
    return {
        {.name = "gate-up-swapped",
         .stages = {ffn_act},
         .explanation = "the activation is applied to up, not to gate",
         .fix = "silu(gate) * up; a fused tensor holds gate first",
         .threads = "mlx-lm PR 767",
         .shows_with = "any",
         .change = [](Form& f, const Use&) { f.gate.swapped = true; }},
        wrong_activation<gelu>("gelu-for-silu", "the activation is GELU (erf) instead of SiLU"),
        wrong_activation<gelu_tanh>("gelu-tanh-for-silu", "the activation is GELU (tanh) instead of SiLU"),
        wrong_activation<gelu_quick>("gelu-quick-for-silu", "the activation is quick GELU, x sigmoid(1.702 x), instead of SiLU"),
        wrong_activation<relu>("relu-for-silu", "the activation is ReLU instead of SiLU"),
        wrong_activation<sigmoid>("sigmoid-for-silu", "the activation is the logistic function instead of SiLU: the factor x is missing"),
        wrong_activation<identity>("activation-missing", "gate * up without an activation"),
        {.name = "up-missing",
         .stages = {ffn_act},
         .explanation = "silu(gate) is not multiplied with up",
         .fix = "silu(gate) * up",
         .threads = "",
         .shows_with = "any",
         .change = [](Form& f, const Use&) { f.gate.gate_only = true; }},
        {.name = "residual-missing",
         .stages = {attn_residual, layer_out},
         .explanation = "the residual is not added: the result is the branch alone",
         .fix = "add the block's input to its output",
         .threads = "",
         .shows_with = "any",
         .change = [](Form& f, const Use&) { f.add.first = 0; }},
        {.name = "branch-missing",
         .stages = {attn_residual, layer_out},
         .explanation = "the branch is not added: the result is the residual alone",
         .fix = "add the output of attention, or of the feed-forward network",
         .threads = "",
         .shows_with = "any",
         .change = [](Form& f, const Use&) { f.add.second = 0; }},
        {.name = "residual-doubled",
         .stages = {attn_residual, layer_out},
         .explanation = "the residual is added twice",
         .fix = "add the block's input once",
         .threads = "",
         .shows_with = "any",
         .change = [](Form& f, const Use&) { f.add.first = 2; }},
        {.name = "branch-doubled",
         .stages = {attn_residual, layer_out},
         .explanation = "the branch is added twice",
         .fix = "add the branch once",
         .threads = "",
         .shows_with = "any",
         .change = [](Form& f, const Use&) { f.add.second = 2; }},
        {.name = "residual-after-norm",
         .stages = {attn_residual, layer_out},
         .explanation = "the residual is taken after the norm instead of before it",
         .fix = "keep the block's input before its norm, and add that",
         .threads = "",
         .shows_with = "any",
         .change = [](Form& f, const Use& u) { f.input = u.at.stage == attn_residual ? attn_norm : ffn_norm; }},
        {.name = "residual-of-layer-input",
         .stages = {layer_out},
         .explanation = "the feed-forward output is added to the layer's input: attention's share is lost",
         .fix = "add it to attn_residual",
         .threads = "",
         .shows_with = "any",
         .change = [](Form& f, const Use&) { f.input = layer_out; }},
        {.name = "layer-skipped",
         .stages = {layer_out},
         .explanation = "the layer is skipped: its output is its input",
         .fix = "run every layer",
         .threads = "",
         .shows_with = "any",
         .change = [](Form& f, const Use&) { f.input = layer_out, f.add.second = 0; }},
        {.name = "activation-clamped",
         .stages = {attn_residual, layer_out, ffn_down, attn_out},
         .explanation = "values are clamped to +-{limit}: the massive activation that the model relies on is missing",
         .fix = "do not clamp the residual stream; keep it in F32 or BF16",
         .threads = "",
         .shows_with = "a token with a massive activation (the first one)",
         .change =
             [](Form& f, const Use& u) {
                 f.after = [limit = u.values[0]](std::span<double> row, int) {
                     for (double& x : row) x = std::clamp(x, -limit, limit);
                 };
             },
         .parameters = {{.name = "limit"}},
         .candidates = limits},
        {.name = "norm-skipped-by-input",
         .stages = {q_proj, k_proj, v_proj, ffn_gate, ffn_up, logits},
         .explanation = "the projection reads the hidden state from before the norm",
         .fix = "give it the normalized row",
         .threads = "",
         .shows_with = "any",
         .change = [](Form& f, const Use& u) { f.input = u.at.stage == ffn_gate || u.at.stage == ffn_up ? attn_residual : layer_out; }},
    };
}

}  // namespace kylin::parity
