// Mistakes in weights and in the products with them: another tensor, another layout, wrongly unpacked blocks.
#include <cmath>
#include <cstring>

#include "gguf/block_codec.h"
#include "parity/hypotheses.h"
#include "parity/hypotheses_solve.h"

namespace kylin::parity {
namespace {

using enum Stage;
const std::vector<Stage> projections = {q_proj, k_proj, v_proj, attn_out, ffn_gate, ffn_up, ffn_down, logits};
const std::vector<Stage> with_embedding = {embedding, q_proj, k_proj, v_proj, attn_out, ffn_gate, ffn_up, ffn_down, logits};
const std::vector<Stage> norms = {attn_norm, q_norm, k_norm, ffn_norm, final_norm};

// Matrices of the shape that the stage asks for, the stage's own included.
std::vector<Values> tensors_of_shape(const Evidence& e) {
    const Place at = e.at();
    const auto weights = e.model().weights();
    const bool norm = std::ranges::find(norms, at.stage) != norms.end();
    const size_t group = at.stage == q_norm || at.stage == k_norm ? static_cast<size_t>(e.model().config().attention.head_dim) : e.width();
    size_t inputs = static_cast<size_t>(e.model().config().n_embd);
    if (at.stage == attn_out) inputs = static_cast<size_t>(e.model().config().attention.n_head * e.model().config().attention.head_dim);
    if (at.stage == ffn_down) inputs = static_cast<size_t>(e.model().config().n_ff);
    std::vector<Values> found;
    for (const Weight& w : weights) {
        const bool fits =
            norm ? w.role == Role::vector && static_cast<size_t>(w.width) == group
                 : w.role != Role::vector && static_cast<size_t>(w.n_outputs) >= e.width() && static_cast<size_t>(w.width) == inputs;
        if (fits && (at.stage != embedding)) found.push_back({static_cast<double>(w.id)});
    }
    return found;
}

Weight weight_of(const Use& u, double id) {
    const auto weights = u.model.weights();
    if (id < 0 || id >= static_cast<double>(weights.size())) throw NotApplicable{};
    return weights[static_cast<size_t>(id)];
}

// The file's numbers in their order, [n_outputs, width], taken as [width, n_outputs].
std::vector<double> transposed_row(const Weight& w, int output) {
    std::vector<double> result(static_cast<size_t>(w.width));
    const auto n = static_cast<size_t>(w.n_outputs), width = static_cast<size_t>(w.width);
    std::vector<double> row;
    size_t held = static_cast<size_t>(-1);
    for (size_t i = 0; i < width; ++i) {
        const size_t flat = i * n + static_cast<size_t>(output), r = flat / width;
        if (r != held) row = values_of<double>(w, static_cast<int>(r)), held = r;
        result[i] = row[flat % width];
    }
    return result;
}

// Q and K rows as Hugging Face stores them for the other RoPE layout: pairs side by side become halves, within each head.
template <bool to_halves>
std::vector<double> permuted_row(const Weight& w, int output, int head_dim) {
    const int head = output / head_dim * head_dim, i = output % head_dim, half = head_dim / 2;
    const int from = to_halves ? (i < half ? 2 * i : 2 * (i - half) + 1) : (i % 2 == 0 ? i / 2 : i / 2 + half);
    return values_of<double>(w, head + from);
}

// How a block may be unpacked wrongly.
struct Q4K {
    enum class Scales : uint8_t { right, low_bits, plain, nibbles } scales = Scales::right;
    bool interleaved = false, no_min = false;
};
template <Q4K how>
std::vector<double> q4_k_row(const Weight& w, int output) {
    if (w.type != BlockType::q4_k) throw NotApplicable{};
    std::vector<double> y(static_cast<size_t>(w.width));
    for (size_t block = 0; block * 256 < y.size(); ++block) {
        BlockQ4_K b;
        std::memcpy(&b, w.row(output) + block * sizeof b, sizeof b);
        const double d = static_cast<double>(f16_to_f32(b.d)), dmin = static_cast<double>(f16_to_f32(b.dmin));
        for (int j = 0; j < 8; ++j) {
            ScaleMin s = unpack_scale_min(b.scales, j);
            if (j >= 4 && how.scales == Q4K::Scales::low_bits)
                s = {static_cast<uint8_t>(b.scales[j + 4] & 15), static_cast<uint8_t>(b.scales[j + 4] >> 4)};
            if (j >= 4 && how.scales == Q4K::Scales::plain)
                s = {static_cast<uint8_t>(b.scales[j] & 63), static_cast<uint8_t>(b.scales[j + 4] & 63)};
            if (j >= 4 && how.scales == Q4K::Scales::nibbles)
                s = {static_cast<uint8_t>((b.scales[j + 4] >> 4) | ((b.scales[j - 4] >> 6) << 4)),
                     static_cast<uint8_t>((b.scales[j + 4] & 15) | ((b.scales[j] >> 6) << 4))};
            for (int i = 0; i < 32; ++i) {
                int q = j % 2 == 0 ? b.qs[j / 2 * 32 + i] & 15 : b.qs[j / 2 * 32 + i] >> 4;
                if (how.interleaved) q = i % 2 == 0 ? b.qs[j * 16 + i / 2] & 15 : b.qs[j * 16 + i / 2] >> 4;
                y[block * 256 + static_cast<size_t>(j * 32 + i)] = d * s.scale * q - (how.no_min ? 0 : dmin * s.min);
            }
        }
    }
    return y;
}

enum class Q6K : uint8_t { no_offset, unsigned_scales, no_high_bits };
template <Q6K how>
std::vector<double> q6_k_row(const Weight& w, int output) {
    if (w.type != BlockType::q6_k) throw NotApplicable{};
    std::vector<double> y(static_cast<size_t>(w.width));
    for (size_t block = 0; block * 256 < y.size(); ++block) {
        BlockQ6_K b;
        std::memcpy(&b, w.row(output) + block * sizeof b, sizeof b);
        const double d = static_cast<double>(f16_to_f32(b.d));
        for (size_t i = 0; i < 256; ++i) {
            const size_t part = i / 128, within = i % 128, quarter = within / 32, l = within % 32;
            const uint8_t low = b.ql[part * 64 + l + (quarter % 2) * 32];
            const int high = how == Q6K::no_high_bits ? 0 : (b.qh[part * 32 + l] >> (2 * quarter)) & 3;
            const int q = (quarter < 2 ? low & 15 : low >> 4) | (high << 4);
            const int scale = how == Q6K::unsigned_scales ? static_cast<uint8_t>(b.scales[i / 16]) : b.scales[i / 16];
            y[block * 256 + i] = d * scale * (how == Q6K::no_offset ? q : q - 32);
        }
    }
    return y;
}

template <bool interleaved, int offset>
std::vector<double> q4_0_row(const Weight& w, int output) {
    if (w.type != BlockType::q4_0) throw NotApplicable{};
    std::vector<double> y(static_cast<size_t>(w.width));
    for (size_t block = 0; block * 32 < y.size(); ++block) {
        BlockQ4_0 b;
        std::memcpy(&b, w.row(output) + block * sizeof b, sizeof b);
        for (size_t i = 0; i < 32; ++i) {
            const int q = interleaved ? (i % 2 == 0 ? b.qs[i / 2] & 15 : b.qs[i / 2] >> 4) : (i < 16 ? b.qs[i] & 15 : b.qs[i - 16] >> 4);
            y[block * 32 + i] = static_cast<double>(f16_to_f32(b.d)) * (q - offset);
        }
    }
    return y;
}

// F16 bits read as BF16, or the other way round.
std::vector<double> other_half_row(const Weight& w, int output) {
    if (w.type != BlockType::f16 && w.type != BlockType::bf16) throw NotApplicable{};
    std::vector<double> y(static_cast<size_t>(w.width));
    for (size_t i = 0; i < y.size(); ++i) {
        uint16_t bits;
        std::memcpy(&bits, w.row(output) + 2 * i, sizeof bits);
        y[i] = static_cast<double>(w.type == BlockType::f16 ? bf16_to_f32(bits) : f16_to_f32(bits));
    }
    return y;
}

using RowOf = std::vector<double> (*)(const Weight&, int);

template <RowOf row>
Hypothesis wrong_unpacking(std::string_view name, std::string_view explanation, std::string_view threads) {
    return {.name = name,
            .stages = with_embedding,
            .explanation = explanation,
            .fix = "unpack the blocks as ggml's dequantize_row functions do",
            .threads = threads,
            .shows_with = "a matrix of that type",
            .change = [](Form& f, const Use&) {
                if (f.project.weight) row(f.project.weight, 0);  // throws where the type is another
                f.project.row = row;
            }};
}

double half(double x) { return static_cast<double>(f16_to_f32(f32_to_f16(static_cast<float>(x)))); }

double without_lane(std::span<const double> w, std::span<const double> x, size_t lane, size_t lanes) {
    double sum = 0;
    for (size_t i = 0; i < x.size(); ++i) sum += i % lanes == lane ? 0 : w[i] * x[i];
    return sum;
}

double sum_in_halves(std::span<const double> w, std::span<const double> x, size_t lanes) {
    std::vector<double> sums(lanes);
    for (size_t i = 0; i < x.size(); ++i) sums[i % lanes] = half(sums[i % lanes] + half(w[i] * x[i]));
    double sum = 0;
    for (const double s : sums) sum = half(sum + s);
    return sum;
}

// What a fused [Q, K, V] tensor in another order gives: the row of the matrix that lies there.
std::vector<double> fused_row(const Model& model, const Place& at, int output, std::string_view order) {
    const std::string block = "blk." + std::to_string(at.layer) + ".";
    const auto find = [&](char which) -> const Weight& {
        const std::string name = block + "attn_" + which + ".weight";
        for (const Weight& w : model.weights())
            if (w.name == name) return w;
        throw NotApplicable{};
    };
    // The engine believes in Q, K, V; the tensor lies in `order`.
    int flat = output;
    for (const char part : std::string_view("qkv")) {
        if ((part == 'q' && at.stage == q_proj) || (part == 'k' && at.stage == k_proj) || (part == 'v' && at.stage == v_proj)) break;
        flat += find(part).n_outputs;
    }
    for (const char part : order) {
        const Weight& w = find(part);
        if (flat < w.n_outputs) return values_of<double>(w, flat);
        flat -= w.n_outputs;
    }
    throw NotApplicable{};
}

}  // namespace

std::vector<Hypothesis> weight_hypotheses() {
    return {
        wrong_unpacking<q4_k_row<Q4K{.scales = Q4K::Scales::low_bits}>>(
            "q4_k-scales-low-bits", "Q4_K: the two high bits of the scales and minima of sub-blocks 4-7 are left out",
            "trueno 182, aprender 2141"),
        wrong_unpacking<q4_k_row<Q4K{.scales = Q4K::Scales::plain}>>(
            "q4_k-scales-plain", "Q4_K: the scales and minima of sub-blocks 4-7 are unpacked like those of 0-3",
            "trueno 182, aprender 2141"),
        wrong_unpacking<q4_k_row<Q4K{.scales = Q4K::Scales::nibbles}>>(
            "q4_k-scales-nibbles", "Q4_K: scale and minimum of sub-blocks 4-7 have their nibbles exchanged", "trueno 182, aprender 2141"),
        wrong_unpacking<q4_k_row<Q4K{.interleaved = true}>>(
            "q4_k-nibble-order", "Q4_K: the nibbles of a byte are taken as neighbours, not as 32 values apart", ""),
        wrong_unpacking<q4_k_row<Q4K{.no_min = true}>>("q4_k-minimum-missing", "Q4_K: the minimum is not subtracted", ""),
        wrong_unpacking<q6_k_row<Q6K::no_offset>>("q6_k-offset-missing", "Q6_K: the offset of 32 is not subtracted", ""),
        wrong_unpacking<q6_k_row<Q6K::unsigned_scales>>("q6_k-scales-unsigned", "Q6_K: the scales are read as unsigned", ""),
        wrong_unpacking<q6_k_row<Q6K::no_high_bits>>("q6_k-high-bits-missing", "Q6_K: the two high bits of each value are left out", ""),
        wrong_unpacking<q4_0_row<true, 8>>("q4_0-nibble-order",
                                           "Q4_0: the nibbles of a byte are taken as neighbours, not as 16 values apart", ""),
        wrong_unpacking<q4_0_row<false, 0>>("q4_0-offset-missing", "Q4_0: the offset of 8 is not subtracted", ""),
        wrong_unpacking<other_half_row>("f16-bf16-mixed-up", "F16 weights are read as BF16, or the other way round", ""),
        {.name = "wrong-tensor",
         .stages = projections,
         .explanation = "{tensor} is used instead of this stage's own matrix",
         .fix = "look up the tensor by its name; a tied output is token_embd, and output.weight where the file has it",
         .threads = "tinygrad 13796",
         .shows_with = "any",
         .change = [](Form& f, const Use& u) { f.project.weight = weight_of(u, u.values[0]); },
         .parameters = {{.name = "tensor", .kind = Parameter::Kind::tensor}},
         .candidates = tensors_of_shape},
        {.name = "wrong-norm-tensor",
         .stages = norms,
         .explanation = "{tensor} is used instead of this norm's own weight",
         .fix = "look up the tensor by its name",
         .threads = "",
         .shows_with = "any",
         .change = [](Form& f, const Use& u) { f.norm.weight = weight_of(u, u.values[0]); },
         .parameters = {{.name = "tensor", .kind = Parameter::Kind::tensor}},
         .candidates = tensors_of_shape},
        {.name = "weight-transposed",
         .stages = projections,
         .explanation = "the matrix is read transposed",
         .fix = "GGUF rows are outputs: y[o] = sum_i W[o][i] x[i]",
         .threads = "aprender 155",
         .shows_with = "any",
         .change = [](Form& f, const Use&) { f.project.row = transposed_row; }},
        {.name = "qk-weights-unpermuted",
         .stages = {q_proj, k_proj},
         .explanation = "the rows of each head are in the order of the other RoPE layout (halves)",
         .fix = "do not permute Q and K of an architecture with NEOX layout at conversion",
         .threads = "llama.cpp PR 13260",
         .shows_with = "any",
         .change =
             [](Form& f, const Use& u) {
                 f.project.row = [n = u.model.config().attention.head_dim](const Weight& w, int o) { return permuted_row<false>(w, o, n); };
             }},
        {.name = "qk-weights-permuted",
         .stages = {q_proj, k_proj},
         .explanation = "the rows of each head are in the order of the other RoPE layout (pairs)",
         .fix = "do not permute Q and K of an architecture with NEOX layout at conversion",
         .threads = "llama.cpp PR 13260",
         .shows_with = "any",
         .change =
             [](Form& f, const Use& u) {
                 f.project.row = [n = u.model.config().attention.head_dim](const Weight& w, int o) { return permuted_row<true>(w, o, n); };
             }},
        {.name = "fused-order-kqv",
         .stages = {q_proj, k_proj, v_proj},
         .explanation = "a fused tensor is split as Q, K, V but lies as K, Q, V",
         .fix = "split the fused tensor in the order it was written in",
         .threads = "",
         .shows_with = "any",
         .change =
             [](Form& f, const Use& u) {
                 f.project.row = [&m = u.model, at = u.at](const Weight&, int o) { return fused_row(m, at, o, "kqv"); };
             }},
        {.name = "fused-order-qvk",
         .stages = {k_proj, v_proj},
         .explanation = "a fused tensor is split as Q, K, V but lies as Q, V, K: K and V are exchanged",
         .fix = "split the fused tensor in the order it was written in",
         .threads = "",
         .shows_with = "any",
         .change =
             [](Form& f, const Use& u) {
                 f.project.row = [&m = u.model, at = u.at](const Weight&, int o) { return fused_row(m, at, o, "qvk"); };
             }},
        {.name = "fused-order-vkq",
         .stages = {q_proj, k_proj, v_proj},
         .explanation = "a fused tensor is split as Q, K, V but lies as V, K, Q",
         .fix = "split the fused tensor in the order it was written in",
         .threads = "",
         .shows_with = "any",
         .change =
             [](Form& f, const Use& u) {
                 f.project.row = [&m = u.model, at = u.at](const Weight&, int o) { return fused_row(m, at, o, "vkq"); };
             }},
        {.name = "simd-lane-lost",
         .stages = projections,
         .explanation = "products of lane {lane} of every {lanes} are missing from the sums",
         .fix = "look at the kernel's reduction and at its handling of lanes",
         .threads = "llama.cpp 16518",
         .shows_with = "any",
         .change =
             [](Form& f, const Use& u) {
                 f.project.dot = [lanes = static_cast<size_t>(u.values[0]), lane = static_cast<size_t>(u.values[1])](auto w, auto x) {
                     return without_lane(w, x, lane, lanes);
                 };
             },
         .parameters = {{.name = "lanes", .kind = Parameter::Kind::whole}, {.name = "lane", .kind = Parameter::Kind::whole}},
         .candidates =
             [](const Evidence&) {
                 std::vector<Values> found;
                 for (const double lanes : {8.0, 16.0, 4.0, 32.0})
                     for (double lane = 0; lane < lanes; ++lane) found.push_back({lanes, lane});
                 return found;
             }},
        {.name = "tail-lost",
         .stages = projections,
         .explanation = "the last {n} inputs are missing from the sums",
         .fix = "handle the rest of a row that does not fill a vector",
         .threads = "llama.cpp 16518",
         .shows_with = "any",
         .change =
             [](Form& f, const Use& u) {
                 f.project.dot = [n = static_cast<size_t>(u.values[0])](std::span<const double> w, std::span<const double> x) {
                     double sum = 0;
                     for (size_t i = 0; i + n < x.size(); ++i) sum += w[i] * x[i];
                     return sum;
                 };
             },
         .parameters = {{.name = "n", .kind = Parameter::Kind::whole}},
         .candidates = [](const Evidence&) { return std::vector<Values>{{1}, {2}, {3}, {4}, {8}, {16}, {32}, {64}, {128}, {256}}; }},
        {.name = "inputs-rounded-undeclared",
         .stages = projections,
         .explanation = "the inputs are rounded to {form}, which the trace does not declare",
         .fix = "declare it in the trace's numerics (inputs=llama.cpp): this is no bug",
         .threads = "",
         .shows_with = "any",
         .change = [](Form& f, const Use& u) { f.project.inputs = static_cast<RowForm>(u.values[0]); },
         .parameters = {{.name = "form", .kind = Parameter::Kind::form}},
         .candidates =
             [](const Evidence& e) {
                 std::vector<Values> found;
                 for (const RowForm form : {RowForm::f16, RowForm::bf16, RowForm::q8_0, RowForm::q8_k, RowForm::exact}) {
                     const int block = form == RowForm::q8_0 ? 32 : form == RowForm::q8_k ? 256 : 1;
                     if (e.model().config().n_embd % block == 0 && e.model().config().n_ff % block == 0)
                         found.push_back({static_cast<double>(form)});
                 }
                 return found;
             },
         .rounds = true},
        {.name = "f16-accumulators",
         .stages = projections,
         .explanation = "products are summed in F16, in {lanes} lanes",
         .fix = "accumulate in F32",
         .threads = "llama.cpp 11920",
         .shows_with = "any",
         .change =
             [](Form& f, const Use& u) {
                 f.project.dot = [lanes = static_cast<size_t>(u.values[0])](auto w, auto x) { return sum_in_halves(w, x, lanes); };
             },
         .parameters = {{.name = "lanes", .kind = Parameter::Kind::whole}},
         .candidates = [](const Evidence&) { return std::vector<Values>{{1}, {8}, {16}, {32}, {4}, {64}}; },
         .rounds = true},
    };
}

}  // namespace kylin::parity
