#include "stage_tap.h"

#include <array>
#include <cstring>
#include <ggml-backend.h>
#include <stdexcept>
#include <string_view>

namespace kylin::reference {
namespace {

// llama.cpp uses one node name several times (Qcur-3: projection, reshape, rotation), so the operation is part of the key.
struct StageNode {
    std::string_view node;
    ggml_op op;
    std::string_view stage;
};
constexpr std::array once = {
    StageNode{"embd", GGML_OP_GET_ROWS, "embedding"},
    StageNode{"result_norm", GGML_OP_MUL, "final_norm"},
    StageNode{"result_output", GGML_OP_MUL_MAT, "logits"},
};
constexpr std::array per_layer = {
    StageNode{"attn_norm", GGML_OP_MUL, "attn_norm"},   StageNode{"Qcur", GGML_OP_MUL_MAT, "q_proj"},
    StageNode{"Kcur", GGML_OP_MUL_MAT, "k_proj"},       StageNode{"Vcur", GGML_OP_MUL_MAT, "v_proj"},
    StageNode{"Qcur_normed", GGML_OP_MUL, "q_norm"},    StageNode{"Kcur_normed", GGML_OP_MUL, "k_norm"},
    StageNode{"Qcur", GGML_OP_ROPE, "q_rope"},          StageNode{"Kcur", GGML_OP_ROPE, "k_rope"},
    StageNode{"kq", GGML_OP_MUL_MAT, "attn_scores"},    StageNode{"kq_soft_max", GGML_OP_SOFT_MAX, "attn_probs"},
    StageNode{"ffn_inp", GGML_OP_ADD, "attn_residual"}, StageNode{"ffn_norm", GGML_OP_MUL, "ffn_norm"},
    StageNode{"ffn_gate", GGML_OP_MUL_MAT, "ffn_gate"}, StageNode{"ffn_up", GGML_OP_MUL_MAT, "ffn_up"},
    StageNode{"ffn_swiglu", GGML_OP_GLU, "ffn_act"},    StageNode{"ffn_out", GGML_OP_MUL_MAT, "ffn_down"},
    StageNode{"l_out", GGML_OP_ADD, "layer_out"},
};

// "blk.3.attn_output.weight" -> "3"
std::optional<std::string> output_projection_layer(const ggml_tensor& node) {
    if (node.op != GGML_OP_MUL_MAT || !node.src[0]) return std::nullopt;
    constexpr std::string_view before = "blk.", after = ".attn_output.weight";
    const std::string_view weight = node.src[0]->name;
    if (!weight.starts_with(before) || !weight.ends_with(after) || weight.size() <= before.size() + after.size()) return std::nullopt;
    return std::string(weight.substr(before.size(), weight.size() - before.size() - after.size()));
}

std::vector<float> read_floats(const ggml_tensor& tensor) {
    if (tensor.type != GGML_TYPE_F32 || !ggml_is_contiguous(&tensor))
        throw std::runtime_error(std::string("node ") + tensor.name + " of llama.cpp is not a contiguous F32 tensor");
    std::vector<float> values(static_cast<size_t>(ggml_nelements(&tensor)));
    ggml_backend_tensor_get(&tensor, values.data(), 0, values.size() * sizeof(float));
    return values;
}

// The causal mask, F32 or F16: 0 where a row sees a key, -inf elsewhere.
std::vector<float> read_mask(const ggml_tensor& mask) {
    if (mask.type != GGML_TYPE_F16) return read_floats(mask);
    std::vector<ggml_fp16_t> halves(static_cast<size_t>(ggml_nelements(&mask)));
    ggml_backend_tensor_get(&mask, halves.data(), 0, halves.size() * sizeof(ggml_fp16_t));
    std::vector<float> values(halves.size());
    ggml_fp16_to_fp32_row(halves.data(), values.data(), ggml_nelements(&mask));
    return values;
}

}  // namespace

bool StageTap::on_node(ggml_tensor* node, bool ask, void* self) {
    StageTap& tap = *static_cast<StageTap*>(self);
    try {
        const std::optional<Found> found = tap.failure_ ? std::nullopt : tap.find(*node);
        if (!ask && found) tap.take(*node, *found);
        return found.has_value() || !ask;
    } catch (...) {
        tap.failure_ = std::current_exception();
        return false;
    }
}

std::optional<StageTap::Found> StageTap::find(const ggml_tensor& node) const {
    using Kind = Found::Kind;
    if (const auto layer = output_projection_layer(node)) return Found{"attn_out." + *layer, Kind::output_projection};
    const std::string_view name = node.name;
    for (const StageNode& entry : once) {
        // The embedding opens the next pass; the others are taken once.
        if (entry.node == name && entry.op == node.op && (entry.stage == "embedding" || !seen_.contains(std::string(entry.stage))))
            return Found{std::string(entry.stage), Kind::rows};
    }
    const size_t dash = name.rfind('-');
    if (dash == std::string_view::npos) return std::nullopt;
    for (const StageNode& entry : per_layer) {
        if (entry.node != name.substr(0, dash) || entry.op != node.op) continue;
        const Kind kind = entry.stage == "attn_scores" ? Kind::scores : entry.stage == "attn_probs" ? Kind::probabilities : Kind::rows;
        if (kind != Kind::rows && !with_scores_) return std::nullopt;
        std::string stage = std::string(entry.stage) + "." + std::string(name.substr(dash + 1));
        if (seen_.contains(stage)) return std::nullopt;
        return Found{std::move(stage), kind};
    }
    return std::nullopt;
}

void StageTap::take(const ggml_tensor& node, const Found& found) {
    const std::string layer = found.stage.substr(found.stage.find('.') + 1);
    if (found.stage == "embedding") {
        first_ += n_;
        n_ = static_cast<size_t>(node.ne[1]);
        seen_.clear();
    }
    seen_.insert(found.stage);
    switch (found.kind) {
        case Found::Kind::rows:
            take_rows(node, found.stage);
            break;
        case Found::Kind::output_projection:
            // Its input is the heads' output, also where a rotated cache makes llama.cpp's kqv_out something else.
            take_rows(*node.src[1], "attn_heads." + layer);
            take_rows(node, found.stage);
            break;
        case Found::Kind::scores:
            scores_ = read_floats(node);
            break;
        case Found::Kind::probabilities:
            take_attention(node, layer);
            break;
    }
}

void StageTap::take_rows(const ggml_tensor& node, const std::string& stage) {
    const std::vector<float> values = read_floats(node);
    if (n_ == 0 || values.size() % n_ != 0) throw std::runtime_error("stage " + stage + " of llama.cpp does not hold a row per token");
    const size_t width = values.size() / n_;
    trace_.declare(stage, {n_rows_, width});
    trace_.write(stage, first_ * width, values);
    rows_written_[stage] += n_;
}

// The scale and the mask are part of the soft max: scores are written scaled, and zero where the mask hides a key.
void StageTap::take_attention(const ggml_tensor& soft_max, const std::string& layer) {
    const std::vector<float> probabilities = read_floats(soft_max);
    if (!soft_max.src[1]) throw std::runtime_error("the soft max of llama.cpp's layer " + layer + " has no mask");
    const std::vector<float> mask = read_mask(*soft_max.src[1]);
    const size_t n_kv = static_cast<size_t>(soft_max.ne[0]);
    if (static_cast<size_t>(soft_max.ne[1]) != n_ || scores_.size() != probabilities.size() || mask.size() < n_ * n_kv)
        throw std::runtime_error("the attention nodes of llama.cpp's layer " + layer + " do not fit each other");

    float scale = 0;
    std::memcpy(&scale, soft_max.op_params, sizeof scale);
    for (size_t i = 0; i < scores_.size(); ++i) scores_[i] = mask[i % (n_ * n_kv)] == 0 ? scores_[i] * scale : 0;
    write_heads("attn_scores." + layer, scores_, soft_max);
    write_heads("attn_probs." + layer, probabilities, soft_max);
}

// values: [n_heads, n_, n_kv]; cells beyond the trace's tokens are padding of the cache.
void StageTap::write_heads(const std::string& stage, const std::vector<float>& values, const ggml_tensor& shape) {
    const size_t n_kv = static_cast<size_t>(shape.ne[0]), n_heads = static_cast<size_t>(shape.ne[2]);
    const size_t n_keys = std::min(n_kv, n_rows_);
    trace_.declare(stage, {n_heads, n_rows_, n_rows_});
    std::vector<float> rows(n_ * n_rows_);
    for (size_t head = 0; head < n_heads; ++head) {
        for (size_t row = 0; row < n_; ++row) std::memcpy(&rows[row * n_rows_], &values[(head * n_ + row) * n_kv], n_keys * sizeof(float));
        trace_.write(stage, (head * n_rows_ + first_) * n_rows_, rows);
    }
    rows_written_[stage] += n_;
}

void StageTap::check() const {
    if (failure_) std::rethrow_exception(failure_);
}

void StageTap::check_complete() const {
    if (rows_written_.empty()) throw std::runtime_error("llama.cpp's graph has none of the nodes that are stages");
    for (const auto& [stage, rows] : rows_written_) {
        if (rows != n_rows_)
            throw std::runtime_error("stage " + stage + " of llama.cpp holds " + std::to_string(rows) + " of " + std::to_string(n_rows_) +
                                     " rows");
    }
}

}  // namespace kylin::reference
