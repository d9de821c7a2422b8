// Which type each tensor gets when a model is quantized: llama.cpp's choices for dense models, without importance matrix.
#pragma once
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "gguf/block_types.h"
#include "gguf/writer.h"

namespace kylin::gguf {

struct Mixture {
    std::string_view name;  // as users write it: "q4_k_m"
    BlockType type;         // of most matrices
    uint32_t file_type;     // general.file_type
    bool more_bits;         // some attn_v and ffn_down are held as Q6_K

    bool is_float() const { return info(type).values == 1; }
};

std::span<const Mixture> mixtures();
std::optional<Mixture> mixture_named(std::string_view name);

// One type per tensor, in the order of `tensors`; those that are never quantized keep their own.
std::vector<BlockType> choose_types(const Mixture& mixture, std::span<const TensorInfo> tensors);

inline constexpr uint32_t quantization_version = 2;  // general.quantization_version of these block formats

}  // namespace kylin::gguf
