// Shapes, metadata and weights of synthetic Qwen3 models.
#include "gguf/synthetic.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <string>

#include "base/random.h"
#include "gguf/block_codec.h"

namespace kylin::gguf {
namespace {

//                                   n_vocab  embd  ff    layer head kv dim  ctx   tied
constexpr SyntheticShape shapes[] = {{"tiny", 2048, 256, 768, 4, 8, 2, 64, 4096, false},
                                     {"qwen3-0.6b", 151936, 1024, 3072, 28, 16, 8, 128, 40960, true},
                                     {"qwen3-1.7b", 151936, 2048, 6144, 28, 16, 8, 128, 40960, true},
                                     {"qwen3-4b", 151936, 2560, 9728, 36, 32, 8, 128, 40960, true}};

constexpr size_t pool_values = 256;  // in a block of the pool, a multiple of every type's block
constexpr uint64_t pool_blocks = 1024;
constexpr uint64_t massive_channel = 7;    // of the hidden state
constexpr int massive_exponent = 11;       // how much larger the feed-forward output of layer 1 is there
constexpr float massive_norm = 1.0f / 64;  // trained models mute the channel in their norms
constexpr uint64_t faint_token = 5;        // its embedding has a mean square near the norm's epsilon, 1e-6
constexpr int faint_exponent = -10;

uint64_t seed_of(uint64_t seed, uint64_t tensor, uint64_t row) { return Random(Random(seed ^ (tensor << 32)).next() ^ row).next(); }

}  // namespace

std::span<const SyntheticShape> synthetic_shapes() { return shapes; }

std::optional<SyntheticShape> synthetic_shape_named(std::string_view name) {
    for (const SyntheticShape& shape : shapes)
        if (shape.name == name) return shape;
    return std::nullopt;
}

SyntheticModel::SyntheticModel(const SyntheticShape& shape, const Mixture& mixture, uint64_t seed, std::vector<Entry> tokenizer)
    : shape_(shape), seed_(seed) {
    metadata_ = {
        {"general.architecture", std::string("qwen3")},
        {"general.name", "Synthetic model of shape " + std::string(shape.name)},
        {"general.file_type", mixture.file_type},
        {"general.quantization_version", quantization_version},
        {"qwen3.block_count", shape.n_layer},
        {"qwen3.context_length", shape.n_ctx},
        {"qwen3.embedding_length", shape.n_embd},
        {"qwen3.feed_forward_length", shape.n_ff},
        {"qwen3.attention.head_count", shape.n_head},
        {"qwen3.attention.head_count_kv", shape.n_head_kv},
        {"qwen3.attention.key_length", shape.head_dim},
        {"qwen3.attention.value_length", shape.head_dim},
        {"qwen3.attention.layer_norm_rms_epsilon", 1e-6f},
        {"qwen3.rope.freq_base", 1e6f},
    };
    for (Entry& entry : tokenizer) {
        const auto* array = std::get_if<Array>(&entry.value);
        if (entry.key == "tokenizer.ggml.tokens" && (!array || size_of(*array) != shape.n_vocab))
            throw std::invalid_argument("the tokenizer has another number of tokens than the model");
        metadata_.push_back(std::move(entry));
    }

    const uint64_t embd = shape.n_embd, q = uint64_t{shape.n_head} * shape.head_dim, kv = uint64_t{shape.n_head_kv} * shape.head_dim;
    if (!shape.tied) add_tensor("output.weight", embd, shape.n_vocab);
    add_tensor("token_embd.weight", embd, shape.n_vocab);
    add_tensor("output_norm.weight", embd, 1);
    for (uint32_t layer = 0; layer < shape.n_layer; ++layer) {
        const std::string blk = "blk." + std::to_string(layer) + ".";
        add_tensor(blk + "attn_norm.weight", embd, 1);
        add_tensor(blk + "attn_q.weight", embd, q);
        add_tensor(blk + "attn_q_norm.weight", shape.head_dim, 1);
        add_tensor(blk + "attn_k.weight", embd, kv);
        add_tensor(blk + "attn_k_norm.weight", shape.head_dim, 1);
        add_tensor(blk + "attn_v.weight", embd, kv);
        add_tensor(blk + "attn_output.weight", q, embd);
        add_tensor(blk + "ffn_norm.weight", embd, 1);
        add_tensor(blk + "ffn_gate.weight", embd, shape.n_ff);
        add_tensor(blk + "ffn_up.weight", embd, shape.n_ff);
        add_tensor(blk + "ffn_down.weight", shape.n_ff, embd);
    }
    const auto types = choose_types(mixture, tensors_);
    for (size_t i = 0; i < tensors_.size(); ++i) tensors_[i].type = types[i];

    Random random(seed);
    values_.resize(pool_blocks * pool_values);
    for (float& v : values_) v = random.bell();
}

void SyntheticModel::add_tensor(std::string name, uint64_t width, uint64_t n_rows) {
    const int n_dims = n_rows > 1 ? 2 : 1;
    tensors_.push_back({std::move(name), BlockType::f32, {width, n_rows, 1, 1}, n_dims});
}

// Rows have a standard deviation near 1 / sqrt(width), so that a projection keeps the size of what it projects. Each of the 2 n_layer
// branches adds 1 / sqrt(2 n_layer) of the embedding's size to the hidden state: larger ones drown the token and amplify every rounding.
int SyntheticModel::row_exponent(size_t i, uint64_t row) const {
    const TensorInfo& tensor = tensors_[i];
    const auto halved_log2 = [](uint64_t n) { return static_cast<int>(std::lround(std::log2(static_cast<double>(n)) / 2)); };
    int exponent = -halved_log2(tensor.ne[0]);
    if (tensor.name.ends_with("attn_output.weight") || tensor.name.ends_with("ffn_down.weight"))
        exponent -= halved_log2(shape_.n_embd) + halved_log2(2 * shape_.n_layer);
    if (tensor.name == "blk.1.ffn_down.weight" && row == massive_channel) exponent += massive_exponent;
    if (tensor.name == "token_embd.weight" && row == faint_token) exponent = faint_exponent;
    return exponent;
}

std::span<const std::byte> SyntheticModel::pool(BlockType type, int exponent) {
    auto& blocks = pools_[{type, exponent}];
    if (blocks.empty()) {
        std::vector<float> scaled(values_);
        for (float& v : scaled) v = std::ldexp(v, exponent);
        blocks.resize(row_bytes(type, scaled.size()));
        quantize_row(type, scaled.data(), blocks.data(), static_cast<int>(scaled.size()));
    }
    return blocks;
}

void SyntheticModel::generate(size_t i, const Sink& sink) {
    const TensorInfo& tensor = tensors_[i];
    if (tensor.n_dims == 1) return generate_vector(i, sink);
    const size_t bytes = row_bytes(tensor.type, tensor.ne[0]), block_bytes = row_bytes(tensor.type, pool_values);
    std::vector<std::byte> row(bytes);
    for (uint64_t r = 0; r < tensor.n_rows(); ++r) {
        const auto blocks = pool(tensor.type, row_exponent(i, r));
        Random random(seed_of(seed_, i, r));
        for (size_t at = 0; at < bytes; at += block_bytes)
            std::memcpy(row.data() + at, blocks.data() + random.below(pool_blocks) * block_bytes, std::min(block_bytes, bytes - at));
        sink(row);
    }
}

// Norm weights about 1, spread; those of the last norm are larger, so that one token stands out of the logits, and of either sign, so
// that it is not the last token again where the head is the embedding.
void SyntheticModel::generate_vector(size_t i, const Sink& sink) const {
    const TensorInfo& tensor = tensors_[i];
    const bool hidden = tensor.ne[0] == shape_.n_embd;
    const bool last = tensor.name == "output_norm.weight";
    Random random(seed_of(seed_, i, 0));
    std::vector<float> weights(tensor.ne[0]);
    for (float& w : weights) {
        w = 1.0f + 0.25f * random.bell();
        if (last) w *= random.below(2) ? 4.0f : -4.0f;
    }
    if (hidden) weights[massive_channel] *= massive_norm;
    sink(std::as_bytes(std::span<const float>(weights)));
}

}  // namespace kylin::gguf
