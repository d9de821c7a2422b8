// What llama.cpp 0.5.0's codecs make of the rows of codec_rows.h, as hashes.
// Made by, and checked against the library by: test_gguf --gtest_filter=ReferenceCodec.KnownAnswersAreTheLibrarys
#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "codec_rows.h"

namespace kylin::testing {

struct KnownAnswer {
    BlockType type;
    uint64_t quantized;    // the blocks made of known_rows rows of each kind
    uint64_t dequantized;  // the floats made of known_rows rows of random blocks
};

inline constexpr KnownAnswer known_answers[] = {
    {BlockType::f16, 0x6D602A8D9802438Cu, 0x5BC68E795A15974Eu},    {BlockType::q4_0, 0x02110C807BE4BA18u, 0xC6B0DC07742DBF3Bu},
    {BlockType::q4_1, 0x44C273B4DE28A5BCu, 0xCF5CEE05E5449868u},   {BlockType::q5_0, 0xBD641FA392531475u, 0xD999DD5CA02DDE55u},
    {BlockType::q5_1, 0xE088E040A64DB447u, 0x3007D4C3A6CCCFA4u},   {BlockType::q8_0, 0x589652F6CC86B76Au, 0x4FEEC892911F0970u},
    {BlockType::q2_k, 0x15B9165ADCEC42ABu, 0x8A2623CF877804D2u},   {BlockType::q3_k, 0x677F7AFBB55912E7u, 0x29C600D2B059812Bu},
    {BlockType::q4_k, 0x9EDBD1F10556C575u, 0x1E28B53FD4EBA2F7u},   {BlockType::q5_k, 0x14D76264B57E965Du, 0x2D7E2BF682C7E930u},
    {BlockType::q6_k, 0x9786FF640223D1FEu, 0xDB15F535D514ACBBu},   {BlockType::bf16, 0x70CB45E7B8AA8C6Au, 0x01559F51F6069FC1u},
    {BlockType::iq4_nl, 0x3702AAFB81CCD73Du, 0x99C854C28525EFC5u},
};

inline constexpr uint64_t known_rows = 8;
inline constexpr size_t known_width = 512;

using Quantize = std::function<void(const float*, std::byte*, int)>;
using Dequantize = std::function<void(const std::byte*, float*, int)>;

inline uint64_t quantized_hash(BlockType type, const Quantize& quantize) {
    uint64_t hash = hash_of(nullptr, 0);
    std::vector<std::byte> blocks(row_bytes(type, known_width));
    for (size_t kind = 0; kind < n_row_kinds; ++kind)
        for (uint64_t seed = 0; seed < known_rows; ++seed) {
            const auto x = make_row(kind, known_width, seed);
            quantize(x.data(), blocks.data(), static_cast<int>(known_width));
            clear_undefined(type, blocks);
            hash = hash_of(blocks.data(), blocks.size(), hash);
        }
    return hash;
}

inline uint64_t dequantized_hash(BlockType type, const Dequantize& dequantize) {
    uint64_t hash = hash_of(nullptr, 0);
    for (uint64_t seed = 0; seed < known_rows; ++seed) {
        std::vector<float> y(known_width);
        dequantize(make_blocks(type, known_width, seed).data(), y.data(), static_cast<int>(known_width));
        hash = hash_of_floats(std::move(y), hash);
    }
    return hash;
}

}  // namespace kylin::testing
