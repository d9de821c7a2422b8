// Qwen3 (dense): pre-norm transformer with grouped-query attention, RMS norm on each query and key head, SwiGLU.
// Source: "Qwen3 Technical Report", arXiv 2505.09388; tensor names and keys as llama.cpp writes them.
#include "model/architectures.h"

namespace kylin {
namespace {

using enum Stage;

class Qwen3 final : public Model {
public:
    Qwen3(const gguf::File& file, Config config) : Model(std::move(config)) {
        const Config& c = this->config();
        const AttentionShape& a = c.attention;
        const int n_q = a.n_head * a.head_dim, n_kv = a.n_head_kv * a.head_dim;
        const bool tied = file.find_tensor("output.weight") == nullptr;
        token_embd_ = require(file, "token_embd.weight", {tied ? Role::matrix : Role::table, c.n_vocab, c.n_embd});
        output_ = tied ? token_embd_ : require(file, "output.weight", {Role::matrix, c.n_vocab, c.n_embd});
        output_norm_ = require(file, "output_norm.weight", {Role::vector, 1, c.n_embd});
        mutable_config().rope.factors = find(file, "rope_freqs.weight", {Role::vector, 1, c.rope.n_dims / 2});
        for (int i = 0; i < c.n_layer; ++i) {
            const std::string p = "blk." + std::to_string(i) + ".";
            const auto vector = [&](const char* name, int width) { return require(file, p + name, {Role::vector, 1, width}); };
            const auto matrix = [&](const char* name, int out, int in) { return require(file, p + name, {Role::matrix, out, in}); };
            layers_.push_back({.attn_norm = vector("attn_norm.weight", c.n_embd),
                               .q = matrix("attn_q.weight", n_q, c.n_embd),
                               .k = matrix("attn_k.weight", n_kv, c.n_embd),
                               .v = matrix("attn_v.weight", n_kv, c.n_embd),
                               .q_norm = vector("attn_q_norm.weight", a.head_dim),
                               .k_norm = vector("attn_k_norm.weight", a.head_dim),
                               .attn_out = matrix("attn_output.weight", c.n_embd, n_q),
                               .ffn_norm = vector("ffn_norm.weight", c.n_embd),
                               .ffn_gate = matrix("ffn_gate.weight", c.n_ff, c.n_embd),
                               .ffn_up = matrix("ffn_up.weight", c.n_ff, c.n_embd),
                               .ffn_down = matrix("ffn_down.weight", c.n_embd, c.n_ff)});
        }
    }

    Value forward(Numerics& math, const Batch& batch) const override {
        const Config& c = config();
        math.begin(batch);
        Value x = math.embed(embedding, token_embd_);

        for (int i = 0; i < c.n_layer; ++i) {
            const Layer& w = layers_[static_cast<size_t>(i)];
            math.enter_layer(i);

            Value h = math.norm(attn_norm, x, {w.attn_norm, c.norm_eps});
            const auto [q, k, v] = math.project(h, {q_proj, w.q}, {k_proj, w.k}, {v_proj, w.v});
            h = math.attend(attn_heads, {q, q_norm, q_rope, {w.q_norm, c.norm_eps}}, {k, k_norm, k_rope, {w.k_norm, c.norm_eps}}, v, c.rope,
                            c.attention);
            if (i + 1 == c.n_layer) {  // after the last keys and values, only the rows asked for matter
                h = math.outputs_of(h);
                x = math.outputs_of(x);
            }
            x = math.add(attn_residual, x, math.project(h, {attn_out, w.attn_out}));

            h = math.norm(ffn_norm, x, {w.ffn_norm, c.norm_eps});
            h = math.gated(ffn_act, h, {ffn_gate, w.ffn_gate}, {ffn_up, w.ffn_up});
            x = math.add(layer_out, x, math.project(h, {ffn_down, w.ffn_down}));
        }

        return head(math, x);
    }

    Value head(Numerics& math, Value layer_output) const override {
        return math.project(math.norm(final_norm, layer_output, {output_norm_, config().norm_eps}), {logits, output_});
    }

private:
    struct Layer {
        Weight attn_norm, q, k, v, q_norm, k_norm, attn_out, ffn_norm, ffn_gate, ffn_up, ffn_down;
    };
    Weight token_embd_, output_norm_, output_;
    std::vector<Layer> layers_;
};

}  // namespace

std::unique_ptr<const Model> make_qwen3(const gguf::File& file, Config config) { return std::make_unique<Qwen3>(file, std::move(config)); }

}  // namespace kylin
