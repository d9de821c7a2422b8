#include "support/tiny_model.h"

#include <cmath>
#include <random>

#include "gguf/block_codec.h"

namespace kylin {
namespace {

using Tiny = TinyModel;

std::vector<gguf::Entry> metadata() {
    const auto u = [](int v) { return gguf::Value(static_cast<uint32_t>(v)); };
    return {{"general.architecture", std::string("qwen3")},
            {"general.name", std::string("tiny")},
            {"qwen3.block_count", u(Tiny::n_layer)},
            {"qwen3.context_length", u(Tiny::n_ctx)},
            {"qwen3.embedding_length", u(Tiny::n_embd)},
            {"qwen3.feed_forward_length", u(Tiny::n_ff)},
            {"qwen3.attention.head_count", u(Tiny::n_head)},
            {"qwen3.attention.head_count_kv", u(Tiny::n_head_kv)},
            {"qwen3.attention.key_length", u(Tiny::head_dim)},
            {"qwen3.attention.value_length", u(Tiny::head_dim)},
            {"qwen3.attention.layer_norm_rms_epsilon", gguf::Value(1e-6f)},
            {"qwen3.rope.freq_base", gguf::Value(1e6f)}};
}

gguf::TensorInfo vector(const std::string& name, int width) { return {name, BlockType::f32, {static_cast<uint64_t>(width), 1, 1, 1}, 1}; }

std::vector<gguf::TensorInfo> tensors(const TinyOptions& o) {
    const auto matrix = [&](const std::string& name, int n_outputs, int width) {
        return gguf::TensorInfo{name, o.type, {static_cast<uint64_t>(width), static_cast<uint64_t>(n_outputs), 1, 1}, 2};
    };
    const int n_q = Tiny::n_head * Tiny::head_dim, n_kv = Tiny::n_head_kv * Tiny::head_dim;
    std::vector<gguf::TensorInfo> t = {matrix("token_embd.weight", Tiny::n_vocab, Tiny::n_embd),
                                       vector("output_norm.weight", Tiny::n_embd)};
    if (!o.tied) t.push_back(matrix("output.weight", Tiny::n_vocab, Tiny::n_embd));
    for (int layer = 0; layer < Tiny::n_layer; ++layer) {
        const std::string p = "blk." + std::to_string(layer) + ".";
        t.insert(t.end(), {vector(p + "attn_norm.weight", Tiny::n_embd), matrix(p + "attn_q.weight", n_q, Tiny::n_embd),
                           matrix(p + "attn_k.weight", n_kv, Tiny::n_embd), matrix(p + "attn_v.weight", n_kv, Tiny::n_embd),
                           vector(p + "attn_q_norm.weight", Tiny::head_dim), vector(p + "attn_k_norm.weight", Tiny::head_dim),
                           matrix(p + "attn_output.weight", Tiny::n_embd, n_q), vector(p + "ffn_norm.weight", Tiny::n_embd),
                           matrix(p + "ffn_gate.weight", Tiny::n_ff, Tiny::n_embd), matrix(p + "ffn_up.weight", Tiny::n_ff, Tiny::n_embd),
                           matrix(p + "ffn_down.weight", Tiny::n_embd, Tiny::n_ff)});
    }
    return t;
}

std::vector<float> values_of(const gguf::TensorInfo& t, std::mt19937& random) {
    std::normal_distribution<float> normal;
    std::vector<float> values(t.n_values());
    const bool is_norm = t.n_dims == 1, is_embedding = t.name == "token_embd.weight";
    const float scale = is_embedding ? 0.5f : 1 / std::sqrt(static_cast<float>(t.ne[0]));
    for (float& v : values) v = is_norm ? 1 + 0.3f * normal(random) : scale * normal(random);
    if (is_embedding)
        for (size_t row = 0; row < t.ne[1]; ++row) {
            values[row * t.ne[0] + 17] *= 20;  // the massive channel
            if (row == 5)
                for (size_t i = 0; i < t.ne[0]; ++i) values[row * t.ne[0] + i] *= 1e-3f;  // mean square near eps
        }
    return values;
}

}  // namespace

std::vector<std::byte> tiny_model_bytes(const TinyOptions& options) {
    std::vector<gguf::Entry> entries = metadata();
    std::vector<gguf::TensorInfo> infos = tensors(options);
    if (options.edit) options.edit(entries, infos);
    std::vector<std::byte> bytes;
    gguf::Writer writer([&](std::span<const std::byte> piece) { bytes.insert(bytes.end(), piece.begin(), piece.end()); }, entries, infos);
    std::mt19937 random(options.seed);
    for (const gguf::TensorInfo& t : infos) {
        const std::vector<float> values = values_of(t, random);
        std::vector<std::byte> blocks(t.bytes());
        quantize_row(t.type, values.data(), blocks.data(), static_cast<int>(values.size()));
        writer.write(blocks);
    }
    writer.finish();
    return bytes;
}

TinyModel make_tiny_model(const TinyOptions& options) {
    TinyModel tiny;
    tiny.bytes = tiny_model_bytes(options);
    tiny.file = std::make_unique<gguf::File>(gguf::File::parse(tiny.bytes, "tiny"));
    tiny.model = Model::load(*tiny.file);
    return tiny;
}

}  // namespace kylin
