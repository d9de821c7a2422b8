// The rules are llama.cpp's (llama-quant.cpp of 0.5.0); tests compare them with its library.
#include "gguf/mixture.h"

#include <algorithm>
#include <charconv>
#include <numeric>
#include <string>

namespace kylin::gguf {
namespace {

constexpr Mixture table[] = {
    {"f32", BlockType::f32, 0, false},     {"f16", BlockType::f16, 1, false},     {"bf16", BlockType::bf16, 32, false},
    {"q8_0", BlockType::q8_0, 7, false},   {"q4_0", BlockType::q4_0, 2, false},   {"q5_0", BlockType::q5_0, 8, false},
    {"q4_k_m", BlockType::q4_k, 15, true}, {"q5_k_m", BlockType::q5_k, 17, true}, {"q6_k", BlockType::q6_k, 18, false},
};

bool contains(std::string_view name, std::string_view part) { return name.find(part) != std::string_view::npos; }

bool may_be_quantized(const TensorInfo& tensor) {
    const bool matrix = tensor.ne[1] > 1 || tensor.ne[2] > 1 || tensor.ne[3] > 1;
    return matrix && tensor.name.ends_with("weight") && !contains(tensor.name, "_norm.weight") &&
           !contains(tensor.name, "ffn_gate_inp.weight");
}

// The number in "blk.N."; -1 for tensors outside of the layers.
int layer_of(std::string_view name) {
    int layer = -1;
    if (name.starts_with("blk.")) std::from_chars(name.data() + 4, name.data() + name.size(), layer);
    return layer;
}

// The first and last eighth of the layers, and every third between.
bool deserves_more_bits(size_t i, size_t n) { return i < n / 8 || i >= 7 * n / 8 || (i - n / 8) % 3 == 2; }

// Marks the tensors whose name contains `part` and whose rank among them, by layer, deserves more bits.
void mark_more_bits(std::span<const TensorInfo> tensors, std::string_view part, std::vector<bool>& marked) {
    std::vector<size_t> found;
    for (size_t i = 0; i < tensors.size(); ++i)
        if (contains(tensors[i].name, part)) found.push_back(i);
    std::stable_sort(found.begin(), found.end(), [&](size_t a, size_t b) { return layer_of(tensors[a].name) < layer_of(tensors[b].name); });
    for (size_t rank = 0; rank < found.size(); ++rank) marked[found[rank]] = deserves_more_bits(rank, found.size());
}

// A row that is no whole number of blocks takes a type of smaller blocks.
BlockType fallback(BlockType type, uint64_t width) {
    if (width % info(type).values == 0) return type;
    BlockType other = type;
    if (type == BlockType::q4_k) other = BlockType::q5_0;
    if (type == BlockType::q5_k) other = BlockType::q5_1;
    if (type == BlockType::q6_k) other = BlockType::q8_0;
    return width % info(other).values == 0 ? other : BlockType::f16;
}

// The tensor that makes the logits: precise, because every token's choice rests on it.
BlockType head_type(const Mixture& mixture, uint64_t width) {
    if (mixture.type == BlockType::q8_0 || width % info(mixture.type).values != 0) return BlockType::q8_0;
    return BlockType::q6_k;
}

}  // namespace

std::span<const Mixture> mixtures() { return table; }

std::optional<Mixture> mixture_named(std::string_view name) {
    for (const Mixture& mixture : table)
        if (mixture.name == name) return mixture;
    return std::nullopt;
}

std::vector<BlockType> choose_types(const Mixture& mixture, std::span<const TensorInfo> tensors) {
    const bool tied = std::none_of(tensors.begin(), tensors.end(), [](const TensorInfo& t) { return t.name == "output.weight"; });
    std::vector<bool> more_bits(tensors.size());
    if (mixture.more_bits) {
        mark_more_bits(tensors, "attn_v.weight", more_bits);
        mark_more_bits(tensors, "ffn_down", more_bits);
    }
    std::vector<BlockType> types;
    for (size_t i = 0; i < tensors.size(); ++i) {
        const TensorInfo& tensor = tensors[i];
        const uint64_t width = tensor.ne[0];
        const bool head = tensor.name == "output.weight" || (tied && tensor.name == "token_embd.weight");
        if (!may_be_quantized(tensor))
            types.push_back(tensor.type);
        else if (mixture.is_float())
            types.push_back(mixture.type);
        else if (head)
            types.push_back(fallback(head_type(mixture, width), width));
        else
            types.push_back(fallback(more_bits[i] ? BlockType::q6_k : mixture.type, width));
    }
    return types;
}

}  // namespace kylin::gguf
