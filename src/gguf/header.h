// Everything of a GGUF file that comes before the tensor data, checked. The grammar is in file.h.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "gguf/file.h"

namespace kylin::gguf {

// Ceilings far above every known model. They keep the memory for a hostile file within twice its size.
inline constexpr uint64_t max_entries = 1 << 18;
inline constexpr uint64_t max_tensors = 1 << 18;
inline constexpr uint64_t max_strings = 1 << 20;  // in all arrays of a file together
inline constexpr uint64_t max_key_bytes = 65535;
inline constexpr uint64_t max_tensor_name_bytes = 63;  // llama.cpp's limit
inline constexpr uint64_t max_alignment = 1 << 20;
inline constexpr uint64_t default_alignment = 32;

struct Header {
    uint32_t version = 0;
    std::vector<Entry> entries;
    std::vector<Tensor> tensors;
    // Indices into entries and tensors, sorted by key and name.
    std::vector<uint32_t> entries_by_key, tensors_by_name;
};

// `name` is the file's, for messages. Throws InputError.
Header parse_header(std::span<const std::byte> bytes, const std::string& name);

}  // namespace kylin::gguf
