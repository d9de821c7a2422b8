#include "parity/rows.h"

#include <algorithm>

namespace kylin::parity {
namespace {

// layer_out as an input is that of the layer before, or the embedding.
std::vector<Stage> input_stages(Stage s) {
    using enum Stage;
    switch (s) {
        case embedding:
            return {};
        case attn_norm:
            return {layer_out};
        case q_proj:
        case k_proj:
        case v_proj:
            return {attn_norm};
        case q_norm:
            return {q_proj};
        case k_norm:
            return {k_proj};
        case q_rope:
            return {q_norm};
        case k_rope:
            return {k_norm};
        case attn_scores:
        case attn_probs:
            return {q_rope, k_rope};
        case attn_heads:
            return {q_rope, k_rope, v_proj};
        case attn_out:
            return {attn_heads};
        case attn_residual:
            return {layer_out, attn_out};
        case ffn_norm:
            return {attn_residual};
        case ffn_gate:
        case ffn_up:
            return {ffn_norm};
        case ffn_act:
            return {ffn_gate, ffn_up};
        case ffn_down:
            return {ffn_act};
        case Stage::layer_out:
            return {attn_residual, ffn_down};
        case final_norm:
            return {layer_out};
        case logits:
            return {final_norm};
    }
    return {};
}

}  // namespace

int n_heads_of(Stage s, const AttentionShape& attention) {
    switch (s) {
        case Stage::q_proj:
        case Stage::q_norm:
        case Stage::q_rope:
        case Stage::attn_scores:
        case Stage::attn_probs:
        case Stage::attn_heads:
            return attention.n_head;
        case Stage::k_proj:
        case Stage::v_proj:
        case Stage::k_norm:
        case Stage::k_rope:
            return attention.n_head_kv;
        default:
            return 1;
    }
}

std::vector<Place> pass_order(int n_layer) {
    std::vector<Place> places = {{Stage::embedding, 0}};
    for (int layer = 0; layer < n_layer; ++layer)
        for (size_t s = 0; s < n_stages; ++s)
            if (stage_table[s].scope == Scope::per_layer) places.push_back({static_cast<Stage>(s), layer});
    places.insert(places.end(), {{Stage::final_norm, 0}, {Stage::logits, 0}});
    return places;
}

std::vector<Place> inputs_of(const Place& at, int n_layer) {
    std::vector<Place> places;
    for (const Stage s : input_stages(at.stage)) {
        const int layer = at.stage == Stage::final_norm ? n_layer - 1 : at.layer - (s == Stage::layer_out);
        places.push_back(layer < 0 ? Place{Stage::embedding, 0} : Place{s, info(s).scope == Scope::once ? 0 : layer});
    }
    return places;
}

std::vector<size_t> trace_shape(Stage s, int width, const RunShape& run) {
    if (is_square(s)) return {static_cast<size_t>(run.attention.n_head), run.n_tokens, run.n_tokens};
    return {run.n_tokens, static_cast<size_t>(width)};
}

std::vector<Segment> segments_of(const Visit& v, int first_token, const RunShape& run) {
    const int n_heads = is_square(v.stage) ? run.attention.n_head : 1, n_rows = v.rows / n_heads;
    const size_t stride = is_square(v.stage) ? run.n_tokens : static_cast<size_t>(v.width);
    std::vector<Segment> segments;
    for (int h = 0; h < n_heads; ++h)
        for (int r = 0; r < n_rows; ++r) {
            const auto token = static_cast<size_t>(first_token + r), at = static_cast<size_t>(h * n_rows + r);
            segments.push_back({.token = first_token + r,
                                .head = is_square(v.stage) ? h : -1,
                                .first = (static_cast<size_t>(h) * run.n_tokens * (is_square(v.stage) ? 1 : 0) + token) * stride,
                                .values = v.values.subspan(at * static_cast<size_t>(v.width), static_cast<size_t>(v.width))});
        }
    return segments;
}

std::optional<std::vector<double>> read_segment(const TraceReader& trace, const TraceTensor& tensor, const Segment& segment) {
    size_t first = segment.first;
    if (!tensor.rows.empty()) {
        const auto found = std::ranges::lower_bound(tensor.rows, segment.token);
        if (found == tensor.rows.end() || *found != segment.token) return std::nullopt;
        first = static_cast<size_t>(found - tensor.rows.begin()) * segment.values.size();
    }
    std::vector<double> values(segment.values.size());
    trace.read(tensor, first, values);
    return values;
}

}  // namespace kylin::parity
