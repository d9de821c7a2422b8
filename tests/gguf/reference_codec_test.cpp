// Block codecs against the real llama.cpp library, bit for bit. Skipped when reference/install was not run.
#include "reference_codec.h"

#include <bit>
#include <cinttypes>
#include <cmath>
#include <cstdio>
#include <gtest/gtest.h>

#include "codec_rows.h"
#include "gguf/block_codec.h"
#include "known_codec_answers.h"

namespace kylin {
namespace {

using testing::ReferenceCodec;

bool same_bits(float a, float b) { return std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b) || (std::isnan(a) && std::isnan(b)); }

class ReferenceCodecTest : public ::testing::TestWithParam<BlockTypeInfo> {
protected:
    void SetUp() override {
        reference_ = ReferenceCodec::load();
        if (!reference_) GTEST_SKIP() << ReferenceCodec::path() << " is not installed: run reference/install";
    }
    std::optional<ReferenceCodec> reference_;
};

TEST_P(ReferenceCodecTest, DequantizesTheSameBits) {
    const BlockTypeInfo type = GetParam();
    constexpr size_t n = 1024;
    for (uint64_t seed = 0; seed < 400; ++seed) {
        const auto blocks = testing::make_blocks(type.type, n, seed);
        std::vector<float> ours(n), theirs(n);
        dequantize_row(type.type, blocks.data(), ours.data(), static_cast<int>(n));
        reference_->dequantize(type.type, blocks.data(), theirs.data(), static_cast<int>(n));
        for (size_t i = 0; i < n; ++i)
            ASSERT_TRUE(same_bits(ours[i], theirs[i])) << "seed " << seed << ", value " << i << ": " << ours[i] << " is not " << theirs[i];
    }
}

TEST_P(ReferenceCodecTest, QuantizesTheSameBits) {
    const BlockTypeInfo type = GetParam();
    constexpr size_t n = 512;
    std::vector<std::byte> ours(row_bytes(type.type, n)), theirs(ours.size());
    for (size_t kind = 0; kind < testing::n_row_kinds; ++kind)
        for (uint64_t seed = 0; seed < 60; ++seed) {
            const auto x = testing::make_row(kind, n, seed);
            quantize_row(type.type, x.data(), ours.data(), static_cast<int>(n));
            reference_->quantize(type.type, x.data(), theirs.data(), static_cast<int>(n));
            testing::clear_undefined(type.type, ours);
            testing::clear_undefined(type.type, theirs);
            for (size_t i = 0; i < ours.size(); ++i)
                ASSERT_EQ(static_cast<int>(ours[i]), static_cast<int>(theirs[i]))
                    << testing::row_kinds[kind] << ", seed " << seed << ", block " << i / type.bytes << ", byte " << i % type.bytes;
        }
}

std::vector<BlockTypeInfo> types_of_the_reference() {
    std::vector<BlockTypeInfo> types;
    for (const BlockTypeInfo& t : block_type_table)
        if (t.type != BlockType::f32) types.push_back(t);
    return types;
}

INSTANTIATE_TEST_SUITE_P(Types, ReferenceCodecTest, ::testing::ValuesIn(types_of_the_reference()),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(ReferenceCodec, KnownAnswersAreTheLibrarys) {
    const auto reference = ReferenceCodec::load();
    if (!reference) GTEST_SKIP() << ReferenceCodec::path() << " is not installed: run reference/install";
    std::string table;
    bool all_known = std::size(testing::known_answers) == types_of_the_reference().size();
    for (const BlockTypeInfo& t : types_of_the_reference()) {
        const uint64_t quantized =
            testing::quantized_hash(t.type, [&](const float* x, std::byte* blocks, int n) { reference->quantize(t.type, x, blocks, n); });
        const uint64_t dequantized = testing::dequantized_hash(
            t.type, [&](const std::byte* blocks, float* y, int n) { reference->dequantize(t.type, blocks, y, n); });
        char line[120];
        std::snprintf(line, sizeof line, "    {BlockType::%s, 0x%016" PRIX64 "u, 0x%016" PRIX64 "u},\n", std::string(t.name).c_str(),
                      quantized, dequantized);
        table += line;
        bool known = false;
        for (const auto& answer : testing::known_answers)
            known |= answer.type == t.type && answer.quantized == quantized && answer.dequantized == dequantized;
        all_known &= known;
    }
    EXPECT_TRUE(all_known) << "the library's answers are:\n" << table;
}

}  // namespace
}  // namespace kylin
