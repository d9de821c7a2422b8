// Random models of a real model's shape, for benchmarks and tests: the same values for the same seed, whatever the type.
// They have what makes faults visible: head_dim other than n_embd / n_head, norm weights other than 1, a massive channel,
// and an embedding row whose mean square is near the norm's epsilon.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "gguf/mixture.h"
#include "gguf/writer.h"

namespace kylin::gguf {

struct SyntheticShape {
    std::string_view name;
    uint32_t n_vocab, n_embd, n_ff, n_layer, n_head, n_head_kv, head_dim, n_ctx;
    bool tied;  // the head is the embedding
};

std::span<const SyntheticShape> synthetic_shapes();
std::optional<SyntheticShape> synthetic_shape_named(std::string_view name);

// tokenizer.* entries of a byte-level BPE: 256 bytes, merges of them, and Qwen3's special tokens near the end. n_vocab is at least 512.
std::vector<Entry> synthetic_tokenizer(uint32_t n_vocab);

class SyntheticModel {
public:
    // `tokenizer` has as many tokens as shape.n_vocab; throws std::invalid_argument otherwise.
    SyntheticModel(const SyntheticShape& shape, const Mixture& mixture, uint64_t seed, std::vector<Entry> tokenizer);

    std::span<const Entry> metadata() const { return metadata_; }
    std::span<const TensorInfo> tensors() const { return tensors_; }
    // All rows of tensor i, in pieces.
    void generate(size_t i, const Sink& sink);

private:
    // A block of 256 values times 2^exponent; rows draw theirs from a pool, so that only the pool is ever quantized.
    std::span<const std::byte> pool(BlockType type, int exponent);
    int row_exponent(size_t i, uint64_t row) const;
    void add_tensor(std::string name, uint64_t width, uint64_t n_rows);
    void generate_vector(size_t i, const Sink& sink) const;

    SyntheticShape shape_;
    uint64_t seed_;
    std::vector<Entry> metadata_;
    std::vector<TensorInfo> tensors_;
    std::vector<float> values_;  // of the pool, before scaling
    std::map<std::pair<BlockType, int>, std::vector<std::byte>> pools_;
};

}  // namespace kylin::gguf
