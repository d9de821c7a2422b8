// The types that llama.cpp 0.5.0 gives to the tensors of a model, written down from its own output for synthetic models.
#include "gguf/mixture.h"

#include <gtest/gtest.h>
#include <map>
#include <string>

namespace kylin::gguf {
namespace {

std::vector<TensorInfo> model(int n_layer, bool tied, uint64_t width = 256) {
    std::vector<TensorInfo> tensors;
    const auto add = [&](std::string name, uint64_t w, uint64_t rows) {
        tensors.push_back({std::move(name), BlockType::f32, {w, rows, 1, 1}, rows > 1 ? 2 : 1});
    };
    if (!tied) add("output.weight", width, 100);
    add("token_embd.weight", width, 100);
    add("output_norm.weight", width, 1);
    for (int i = n_layer - 1; i >= 0; --i) {  // order in the file does not matter
        const std::string blk = "blk." + std::to_string(i) + ".";
        add(blk + "attn_norm.weight", width, 1);
        add(blk + "attn_q.weight", width, 64);
        add(blk + "attn_v.weight", width, 64);
        add(blk + "ffn_down.weight", width, 64);
    }
    return tensors;
}

std::map<std::string, BlockType> types_of(std::string_view mixture, const std::vector<TensorInfo>& tensors) {
    const auto types = choose_types(mixture_named(mixture).value(), tensors);
    std::map<std::string, BlockType> by_name;
    for (size_t i = 0; i < tensors.size(); ++i) by_name[tensors[i].name] = types[i];
    return by_name;
}

TEST(Mixture, VectorsStayAsTheyAre) {
    for (const Mixture& mixture : mixtures()) {
        const auto types = types_of(mixture.name, model(2, true));
        EXPECT_EQ(types.at("output_norm.weight"), BlockType::f32) << mixture.name;
        EXPECT_EQ(types.at("blk.0.attn_norm.weight"), BlockType::f32) << mixture.name;
    }
}

TEST(Mixture, LayersThatDeserveMoreBits) {
    // Of 28 layers: the first 3, the last 4 (from 24), and every third after the first 3.
    const auto types = types_of("q4_k_m", model(28, true));
    for (int i = 0; i < 28; ++i) {
        const bool more = i < 3 || i >= 24 || (i - 3) % 3 == 2;
        const std::string blk = "blk." + std::to_string(i) + ".";
        EXPECT_EQ(types.at(blk + "attn_v.weight"), more ? BlockType::q6_k : BlockType::q4_k) << i;
        EXPECT_EQ(types.at(blk + "ffn_down.weight"), more ? BlockType::q6_k : BlockType::q4_k) << i;
        EXPECT_EQ(types.at(blk + "attn_q.weight"), BlockType::q4_k) << i;
    }
    EXPECT_EQ(types_of("q5_k_m", model(28, true)).at("blk.24.ffn_down.weight"), BlockType::q6_k);
    EXPECT_EQ(types_of("q5_k_m", model(28, true)).at("blk.23.ffn_down.weight"), BlockType::q6_k);
    EXPECT_EQ(types_of("q5_k_m", model(28, true)).at("blk.22.ffn_down.weight"), BlockType::q5_k);
}

TEST(Mixture, OtherMixturesHaveOneTypeInAllLayers) {
    for (const char* name : {"f16", "bf16", "q8_0", "q4_0", "q5_0", "q6_k"}) {
        const auto types = types_of(name, model(8, false));
        for (int i = 0; i < 8; ++i)
            EXPECT_EQ(types.at("blk." + std::to_string(i) + ".attn_v.weight"), block_type_by_name(name)->type) << name;
    }
}

TEST(Mixture, TheHeadIsPreciseAndATiedEmbeddingIsTheHead) {
    for (const char* name : {"q4_k_m", "q5_k_m", "q6_k", "q4_0", "q5_0"}) {
        EXPECT_EQ(types_of(name, model(2, true)).at("token_embd.weight"), BlockType::q6_k) << name;
        EXPECT_EQ(types_of(name, model(2, false)).at("output.weight"), BlockType::q6_k) << name;
        EXPECT_EQ(types_of(name, model(2, false)).at("token_embd.weight"), mixture_named(name)->type) << name;
    }
    EXPECT_EQ(types_of("q8_0", model(2, true)).at("token_embd.weight"), BlockType::q8_0);
    EXPECT_EQ(types_of("f16", model(2, false)).at("output.weight"), BlockType::f16);
}

TEST(Mixture, RowsThatAreNoWholeNumberOfBlocksFallBack) {
    const auto narrow = types_of("q4_k_m", model(8, false, 96));
    EXPECT_EQ(narrow.at("blk.0.attn_q.weight"), BlockType::q5_0);
    EXPECT_EQ(narrow.at("blk.0.attn_v.weight"), BlockType::q8_0);  // Q6_K was due
    EXPECT_EQ(narrow.at("output.weight"), BlockType::q8_0);
    EXPECT_EQ(types_of("q5_k_m", model(8, false, 96)).at("blk.0.attn_q.weight"), BlockType::q5_1);
    EXPECT_EQ(types_of("q6_k", model(8, false, 96)).at("blk.0.attn_q.weight"), BlockType::q8_0);
    for (const char* name : {"q4_k_m", "q8_0", "q4_0"})
        EXPECT_EQ(types_of(name, model(8, false, 40)).at("blk.0.attn_q.weight"), BlockType::f16) << name;
}

TEST(Mixture, NamesAndFileTypes) {
    EXPECT_EQ(mixture_named("q4_k_m")->file_type, 15u);
    EXPECT_EQ(mixture_named("f32")->file_type, 0u);
    EXPECT_FALSE(mixture_named("q4_k_s"));
    EXPECT_TRUE(mixture_named("bf16")->is_float());
    EXPECT_FALSE(mixture_named("q8_0")->is_float());
}

}  // namespace
}  // namespace kylin::gguf
