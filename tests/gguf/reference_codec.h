// The codecs of the llama.cpp library that reference/install fetches, loaded at run time when it is there.
#pragma once
#include <cstdint>
#include <dlfcn.h>
#include <filesystem>
#include <optional>
#include <string>

#include "gguf/block_types.h"

namespace kylin::testing {

class ReferenceCodec {
public:
    static std::filesystem::path path() {
        return std::filesystem::path(KYLIN_SOURCE_DIR) / "reference/node_modules/@node-llama-cpp/linux-x64/bins/linux-x64/libggml-base.so";
    }
    // Absent when the library is not installed or does not run here.
    static std::optional<ReferenceCodec> load() {
        void* library = dlopen(path().c_str(), RTLD_NOW | RTLD_LOCAL);  // stays loaded until the program ends
        if (!library) return std::nullopt;
        return ReferenceCodec(library);
    }

    void quantize(BlockType type, const float* x, std::byte* blocks, int n) const {
        function<void(const float*, void*, int64_t)>(names(type).quantize)(x, blocks, n);
    }
    void dequantize(BlockType type, const std::byte* blocks, float* y, int n) const {
        function<void(const void*, float*, int64_t)>(names(type).dequantize)(blocks, y, n);
    }

private:
    struct Names {
        BlockType type;
        const char *quantize, *dequantize;
    };
    static const Names& names(BlockType type) {
        static constexpr Names table[] = {
            {BlockType::f16, "ggml_fp32_to_fp16_row", "ggml_fp16_to_fp32_row"},
            {BlockType::bf16, "ggml_fp32_to_bf16_row_ref", "ggml_bf16_to_fp32_row"},
            {BlockType::q4_0, "quantize_row_q4_0_ref", "dequantize_row_q4_0"},
            {BlockType::q4_1, "quantize_row_q4_1_ref", "dequantize_row_q4_1"},
            {BlockType::q5_0, "quantize_row_q5_0_ref", "dequantize_row_q5_0"},
            {BlockType::q5_1, "quantize_row_q5_1_ref", "dequantize_row_q5_1"},
            {BlockType::q8_0, "quantize_row_q8_0_ref", "dequantize_row_q8_0"},
            {BlockType::q2_k, "quantize_row_q2_K_ref", "dequantize_row_q2_K"},
            {BlockType::q3_k, "quantize_row_q3_K_ref", "dequantize_row_q3_K"},
            {BlockType::q4_k, "quantize_row_q4_K_ref", "dequantize_row_q4_K"},
            {BlockType::q5_k, "quantize_row_q5_K_ref", "dequantize_row_q5_K"},
            {BlockType::q6_k, "quantize_row_q6_K_ref", "dequantize_row_q6_K"},
            {BlockType::iq4_nl, "quantize_row_iq4_nl_ref", "dequantize_row_iq4_nl"},
        };
        for (const Names& n : table)
            if (n.type == type) return n;
        throw std::invalid_argument("the reference has no codec for " + std::string(info(type).name));
    }

    explicit ReferenceCodec(void* library) : library_(library) {}
    template <class Signature>
    Signature* function(const char* name) const {
        void* address = dlsym(library_, name);
        if (!address) throw std::runtime_error(std::string("the reference library lacks ") + name);
        return reinterpret_cast<Signature*>(address);
    }
    void* library_;
};

}  // namespace kylin::testing
