// Synthetic models: valid files, the same for the same seed, and with the features that make faults visible.
#include "gguf/synthetic.h"

#include <cmath>
#include <gtest/gtest.h>
#include <set>
#include <string>

#include "gguf/block_codec.h"
#include "gguf_bytes.h"

namespace kylin::gguf {
namespace {

std::string tiny(std::string_view type, uint64_t seed) {
    const SyntheticShape shape = synthetic_shape_named("tiny").value();
    SyntheticModel model(shape, mixture_named(type).value(), seed, synthetic_tokenizer(shape.n_vocab));
    std::string text;
    const auto tensors = model.tensors();
    Writer writer([&](auto bytes) { text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size()); }, model.metadata(),
                  {tensors.begin(), tensors.end()});
    for (size_t i = 0; i < tensors.size(); ++i) model.generate(i, [&](auto bytes) { writer.write(bytes); });
    writer.finish();
    return text;
}

std::vector<float> row_of(const Tensor& tensor, uint64_t r) {
    std::vector<float> values(tensor.width());
    dequantize_row(tensor.type, tensor.row(r).data(), values.data(), static_cast<int>(values.size()));
    return values;
}

double mean_square(const std::vector<float>& values) {
    double sum = 0;
    for (const double v : values) sum += v * v;
    return sum / static_cast<double>(values.size());
}

TEST(Synthetic, SameSeedSameBytes) {
    EXPECT_EQ(tiny("q4_k_m", 1), tiny("q4_k_m", 1));
    EXPECT_NE(tiny("q4_k_m", 1), tiny("q4_k_m", 2));
}

TEST(Synthetic, AQuantizedModelIsTheF32ModelQuantized) {
    const std::string f32 = tiny("f32", 3), q4 = tiny("q4_k_m", 3);
    const File from = File::parse(kylin::testing::as_bytes(f32)), to = File::parse(kylin::testing::as_bytes(q4));
    for (const Tensor& want : to.tensors()) {
        const Tensor& source = *from.find_tensor(want.name);
        for (uint64_t r = 0; r < want.n_rows(); r += 37) {
            const auto values = row_of(source, r);
            std::vector<std::byte> blocks(want.row(r).size());
            quantize_row(want.type, values.data(), blocks.data(), static_cast<int>(values.size()));
            ASSERT_TRUE(std::equal(blocks.begin(), blocks.end(), want.row(r).begin())) << want.name << " row " << r;
        }
    }
}

TEST(Synthetic, HasWhatMakesFaultsVisible) {
    const std::string text = tiny("f32", 1);
    const File file = File::parse(kylin::testing::as_bytes(text));
    const int64_t embd = *file.find_int("qwen3.embedding_length"), heads = *file.find_int("qwen3.attention.head_count");
    EXPECT_NE(*file.find_int("qwen3.attention.key_length"), embd / heads);
    EXPECT_LT(*file.find_int("qwen3.attention.head_count_kv"), heads);

    const Tensor& embedding = *file.find_tensor("token_embd.weight");
    EXPECT_NEAR(mean_square(row_of(embedding, 5)), 1e-6, 0.5e-6);          // near eps
    EXPECT_NEAR(mean_square(row_of(embedding, 6)), 1.0 / 256, 0.5 / 256);  // the others: 1 / width
    const Tensor& down = *file.find_tensor("blk.1.ffn_down.weight");
    EXPECT_GT(mean_square(row_of(down, 7)), 10000 * mean_square(row_of(down, 8)));  // the massive channel
    const auto norm = row_of(*file.find_tensor("blk.0.attn_norm.weight"), 0);
    EXPECT_GT(std::fabs(norm[0] - 1) + std::fabs(norm[1] - 1) + std::fabs(norm[2] - 1), 0.05f);
}

TEST(Synthetic, ShapesAreTheModels) {
    const SyntheticShape s = synthetic_shape_named("qwen3-0.6b").value();
    EXPECT_EQ(s.n_vocab, 151936u);
    EXPECT_EQ(s.n_embd, 1024u);
    EXPECT_EQ(s.n_ff, 3072u);
    EXPECT_EQ(s.n_layer, 28u);
    EXPECT_EQ(s.n_head, 16u);
    EXPECT_EQ(s.n_head_kv, 8u);
    EXPECT_EQ(s.head_dim, 128u);
    EXPECT_TRUE(s.tied);
    uint64_t weights = 0;
    const SyntheticModel model(s, mixture_named("f32").value(), 1, {});
    for (const TensorInfo& t : model.tensors()) weights += t.n_values();
    EXPECT_EQ(weights, 596049920u);  // as published for Qwen3-0.6B with its tied head
}

const Value& entry(const std::vector<Entry>& entries, std::string_view key) {
    for (const Entry& e : entries)
        if (e.key == key) return e.value;
    throw std::out_of_range(std::string(key));
}

TEST(SyntheticTokenizer, HasQwen3sFormAndSize) {
    const auto entries = synthetic_tokenizer(151936);
    const auto& tokens = std::get<StringList>(std::get<Array>(entry(entries, "tokenizer.ggml.tokens")));
    const auto& merges = std::get<StringList>(std::get<Array>(entry(entries, "tokenizer.ggml.merges")));
    const auto& types = std::get<std::vector<int32_t>>(std::get<Array>(entry(entries, "tokenizer.ggml.token_type")));
    EXPECT_EQ(tokens.size(), 151936u);
    EXPECT_EQ(types.size(), 151936u);
    EXPECT_EQ(merges.size(), 151643u - 256);
    EXPECT_EQ(tokens[0], "!");
    EXPECT_EQ(tokens[151643], "<|endoftext|>");
    EXPECT_EQ(tokens[151644], "<|im_start|>");
    EXPECT_EQ(tokens[151645], "<|im_end|>");
    EXPECT_EQ(tokens[151668], "</think>");
    EXPECT_EQ(std::set<std::string_view>(tokens.begin(), tokens.end()).size(), tokens.size());
    EXPECT_EQ(std::get<uint32_t>(entry(entries, "tokenizer.ggml.eos_token_id")), 151645u);
}

TEST(SyntheticTokenizer, EveryMergeJoinsTwoEarlierTokensIntoTheNext) {
    const auto entries = synthetic_tokenizer(2048);
    const auto& tokens = std::get<StringList>(std::get<Array>(entry(entries, "tokenizer.ggml.tokens")));
    const auto& merges = std::get<StringList>(std::get<Array>(entry(entries, "tokenizer.ggml.merges")));
    std::set<std::string> known;
    for (size_t i = 0; i < 256; ++i) known.emplace(tokens[i]);
    EXPECT_EQ(known.size(), 256u);
    for (size_t i = 0; i < merges.size(); ++i) {
        const size_t space = merges[i].find(' ');
        const std::string left(merges[i].substr(0, space)), right(merges[i].substr(space + 1));
        ASSERT_TRUE(known.count(left) && known.count(right)) << merges[i];
        ASSERT_EQ(tokens[256 + i], left + right);
        known.insert(left + right);
    }
}

TEST(Synthetic, ATokenizerOfAnotherSizeIsRefused) {
    const SyntheticShape shape = synthetic_shape_named("tiny").value();
    EXPECT_THROW(SyntheticModel(shape, mixture_named("f32").value(), 1, synthetic_tokenizer(shape.n_vocab + 1)), std::invalid_argument);
}

}  // namespace
}  // namespace kylin::gguf
