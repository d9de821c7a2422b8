// Mistakes in rotary position embedding.
#include <cmath>

#include "parity/hypotheses.h"
#include "parity/hypotheses_solve.h"

namespace kylin::parity {
namespace {

using enum Stage;
const std::vector<Stage> ropes = {q_rope, k_rope};

double base_of(const Model& m, const Place&) { return m.config().rope.base; }
double n_dims_of(const Model& m, const Place&) { return m.config().rope.n_dims; }
double factor_of(const Model& m, const Place&) { return m.config().rope.scaling == RopeScaling::none ? 1 : m.config().rope.factor; }

std::vector<Values> bases(const Evidence& e) {
    std::vector<Values> found = {{10000}, {1e6}, {500000}, {100000}, {5e6}, {1e7}};
    if (const auto base = solve_rope_base(e)) found.insert(found.begin(), {*base});
    return found;
}
std::vector<Values> offsets(const Evidence& e) {
    std::vector<Values> found = {{1}, {-1}, {2}, {-2}};
    if (const auto offset = solve_position_offset(e); offset && *offset != 0) found.insert(found.begin(), {static_cast<double>(*offset)});
    return found;
}
std::vector<Values> factors(const Evidence& e) {
    std::vector<Values> found = {{2}, {4}, {8}, {0.5}, {0.25}};
    if (const auto factor = solve_rope_factor(e)) found.insert(found.begin(), {*factor});
    return found;
}
std::vector<Values> chunk_sizes(const Evidence& e) {
    std::vector<Values> found;
    const auto tokens = e.tokens();
    for (int n = 2; !tokens.empty() && n <= tokens.back(); ++n)
        if (n <= 64 || n % 64 == 0) found.push_back({static_cast<double>(n)});
    return found;
}

void linear(Rope& r, double factor) { r.scaling = RopeScaling::linear, r.factor = factor; }
void yarn(Rope& r, double factor, const Model& m) {
    r.scaling = RopeScaling::yarn, r.factor = factor;
    if (r.original_context == 0) r.original_context = m.config().n_ctx_train;
}

}  // namespace

std::vector<Hypothesis> rope_hypotheses() {
    return {
        {.name = "rope-norm-for-neox",
         .stages = ropes,
         .explanation = "RoPE turns neighbouring pairs (2i, 2i+1) instead of (i, i + n/2), or the other way round",
         .fix = "use the NEOX layout for this architecture (rope type 2 in ggml), or unpermute the Q and K weights",
         .threads = "ik_llama.cpp PR 2290, llama.cpp PR 13260, candle 3410",
         .shows_with = "a token after the first",
         .change = [](Form& f, const Use&) { f.rope.rope.neox = !f.rope.rope.neox; }},
        {.name = "rope-wrong-dimension",
         .stages = ropes,
         .explanation = "the frequencies are those of {n_dims} dimensions instead of {n_dims.expected}: base^(-2i/n) with the wrong n",
         .fix = "n is head_dim (attention.key_length), not hidden size / heads",
         .threads = "TensorRT-LLM 5912",
         .shows_with = "a token after the first",
         .change = [](Form& f, const Use& u) { f.rope.rope.base = std::pow(f.rope.rope.base, f.rope.rope.n_dims / u.values[0]); },
         .parameters = {{.name = "n_dims", .kind = Parameter::Kind::whole, .expected = n_dims_of}},
         .candidates =
             [](const Evidence& e) {
                 const Config& c = e.model().config();
                 std::vector<Values> found;
                 for (const double n : {c.n_embd / c.attention.n_head, c.rope.head_dim / 2, c.rope.head_dim * 2, c.n_embd})
                     if (n != c.rope.n_dims && n > 0) found.push_back({n});
                 return found;
             }},
        {.name = "rope-base",
         .stages = ropes,
         .explanation = "RoPE base {base} instead of {base.expected}",
         .fix = "read rope.freq_base from the file",
         .threads = "llama.cpp 3090",
         .shows_with = "a token after the first; a later one tells near bases apart",
         .change = [](Form& f, const Use& u) { f.rope.rope.base = u.values[0]; },
         .parameters = {{.name = "base", .expected = base_of, .refine = true}},
         .candidates = bases},
        {.name = "position-offset",
         .stages = ropes,
         .explanation = "positions are off by {offset}",
         .fix = "count positions from 0, and go on from the prompt's length in decode",
         .threads = "tiny-llm 46, mlx-vlm 1983",
         .shows_with = "a token of each phase",
         .change = [](Form& f, const Use& u) { f.rope.position = [n = static_cast<int>(u.values[0])](int32_t p) { return p + n; }; },
         .parameters = {{.name = "offset", .kind = Parameter::Kind::whole}},
         .candidates = offsets},
        {.name = "position-restarts",
         .stages = ropes,
         .explanation = "positions start from 0 again after every {chunk} tokens",
         .fix = "add the number of cached tokens to the positions of a chunk",
         .threads = "mlx-vlm 1983",
         .shows_with = "more tokens than one chunk holds",
         .change = [](Form& f, const Use& u) { f.rope.position = [n = static_cast<int>(u.values[0])](int32_t p) { return p % n; }; },
         .parameters = {{.name = "chunk", .kind = Parameter::Kind::whole}},
         .candidates = chunk_sizes},
        {.name = "decode-position-restarts",
         .stages = ropes,
         .explanation = "positions of decoded tokens start from 0 again",
         .fix = "positions in decode go on from the prompt's length",
         .threads = "mlx-vlm 1983",
         .shows_with = "decoded tokens",
         .change = [](Form& f, const Use& u) { f.rope.position = [n = u.n_prompt](int32_t p) { return p < n ? p : p - n; }; }},
        {.name = "decode-position-stuck",
         .stages = ropes,
         .explanation = "all decoded tokens have the position of the first one",
         .fix = "advance the position with every decoded token",
         .threads = "",
         .shows_with = "two or more decoded tokens",
         .change = [](Form& f, const Use& u) { f.rope.position = [n = u.n_prompt](int32_t p) { return std::min(p, n); }; }},
        {.name = "rope-missing",
         .stages = ropes,
         .explanation = "RoPE is left out",
         .fix = "rotate queries and keys",
         .threads = "",
         .shows_with = "a token after the first",
         .change = [](Form& f, const Use&) { f.skip = true; }},
        {.name = "rope-inverse",
         .stages = ropes,
         .explanation = "RoPE turns the other way: the sign of the sine is wrong",
         .fix = "(x0 c - x1 s, x0 s + x1 c)",
         .threads = "",
         .shows_with = "a token after the first",
         .change = [](Form& f, const Use&) { f.rope.inverse = true; }},
        {.name = "rope-linear-scaling",
         .stages = ropes,
         .explanation = "positions are divided by {factor}: linear RoPE scaling, where the model has {factor.expected}",
         .fix = "read rope.scaling.type and rope.scaling.factor from the file",
         .threads = "llama.cpp PR 8676",
         .shows_with = "a token after the first",
         .change = [](Form& f, const Use& u) { linear(f.rope.rope, u.values[0]); },
         .parameters = {{.name = "factor", .expected = factor_of, .refine = true}},
         .candidates = factors},
        {.name = "rope-yarn",
         .stages = ropes,
         .explanation = "YaRN with factor {factor}, where the model has {factor.expected}",
         .fix = "read rope.scaling.type and rope.scaling.factor from the file",
         .threads = "llama.cpp PR 17945",
         .shows_with = "a token after the first",
         .change = [](Form& f, const Use& u) { yarn(f.rope.rope, u.values[0], u.model); },
         .parameters = {{.name = "factor", .expected = factor_of, .refine = true}},
         .candidates = factors},
        {.name = "rope-scaling-ignored",
         .stages = ropes,
         .explanation = "the model's RoPE scaling is ignored",
         .fix = "read rope.scaling.type from the file",
         .threads = "llama.cpp PR 8676",
         .shows_with = "a model with RoPE scaling",
         .change =
             [](Form& f, const Use&) {
                 if (f.rope.rope.scaling == RopeScaling::none) throw NotApplicable{};
                 f.rope.rope.scaling = RopeScaling::none;
             }},
        {.name = "rope-factors-ignored",
         .stages = ropes,
         .explanation = "the frequency factors (rope_freqs.weight) are ignored",
         .fix = "divide each frequency by its factor",
         .threads = "llama.cpp PR 8676",
         .shows_with = "a model with rope_freqs.weight",
         .change =
             [](Form& f, const Use&) {
                 if (!f.rope.rope.factors) throw NotApplicable{};
                 f.rope.rope.factors = {};
             }},
        {.name = "rope-partial",
         .stages = ropes,
         .explanation = "only the first {n_dims} values of a head are turned, not {n_dims.expected}",
         .fix = "rope.dimension_count is head_dim here",
         .threads = "",
         .shows_with = "a token after the first",
         .change = [](Form& f, const Use& u) { f.rope.rope.n_dims = static_cast<int>(u.values[0]), f.rope.rope.factors = {}; },
         .parameters = {{.name = "n_dims", .kind = Parameter::Kind::whole, .expected = n_dims_of}},
         .candidates =
             [](const Evidence& e) {
                 const double n = e.model().config().rope.head_dim;
                 return std::vector<Values>{{n / 2}, {n / 4}, {n * 3 / 4}, {n / 8}};
             }},
        {.name = "rope-magnitude",
         .stages = ropes,
         .explanation = "queries or keys are also multiplied with {scale}, as a YaRN magnitude applied twice or left out does",
         .fix = "apply YaRN's 0.1 ln(factor) + 1 once, and only with YaRN",
         .threads = "llama.cpp PR 17945",
         .shows_with = "any",
         .change = [](Form& f, const Use& u) { f.scale = u.values[0]; },
         .parameters = {{.name = "scale", .refine = true}},
         .candidates = [](const Evidence& e) { return scale_candidates(e); }},
    };
}

}  // namespace kylin::parity
