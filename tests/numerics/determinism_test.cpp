// The promise of the fast numerics: the same bits for any number of threads, any split into chunks, any company in the batch.
#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <numeric>

#include "kernels/kernels.h"
#include "numerics/make.h"
#include "support/peaks.h"
#include "support/tiny_model.h"

namespace kylin {
namespace {

constexpr int n_tokens = 70;  // crosses a KV page, and every remainder of the kernels' tiles

std::vector<int32_t> some_tokens(int seed) {
    std::vector<int32_t> tokens;
    for (int i = 0; i < n_tokens; ++i) tokens.push_back((i * 37 + seed * 101 + 5) % TinyModel::n_vocab);
    return tokens;
}

struct Setup {
    int n_threads = 2;
    std::vector<int> chunks = {n_tokens};  // rows of each step
    KvType kv = KvType::f16;
    std::string isa = {};
    std::vector<Technique> without = {};
};

// The logits of every token, [n_tokens, n_vocab].
std::vector<float> logits_of(const TinyModel& tiny, const std::vector<int32_t>& tokens, const Setup& setup) {
    const auto math = make_numerics(
        *tiny.model, {.n_pages = 4, .kv = setup.kv, .n_threads = setup.n_threads, .isa = setup.isa, .without = setup.without});
    const std::vector<int32_t> pages = {2, 0, 3, 1};
    std::vector<float> all;
    int first = 0;
    for (const int n : setup.chunks) {
        Batch batch{.tokens = {tokens.begin() + first, tokens.begin() + first + n},
                    .chunks = {{.first_row = 0, .n_rows = n, .first_position = first, .pages = pages}},
                    .outputs = std::vector<int32_t>(static_cast<size_t>(n))};
        std::iota(batch.outputs.begin(), batch.outputs.end(), 0);
        const Value logits = tiny.model->forward(*math, batch);
        std::vector<float> row(static_cast<size_t>(logits.width));
        for (int r = 0; r < logits.rows; ++r) {
            math->read_row(logits, r, row);
            all.insert(all.end(), row.begin(), row.end());
        }
        expect_own_peaks(*math, logits);
        first += n;
    }
    EXPECT_EQ(first, n_tokens);
    return all;
}

std::vector<int> chunks_of(int size) {
    std::vector<int> chunks;
    for (int left = n_tokens; left > 0; left -= size) chunks.push_back(std::min(size, left));
    return chunks;
}

class Determinism : public testing::TestWithParam<BlockType> {
protected:
    Determinism() : tiny(make_tiny_model({.type = GetParam()})), expected(logits_of(tiny, tokens, {.n_threads = 1})) {}
    std::vector<int32_t> tokens = some_tokens(0);
    TinyModel tiny;
    std::vector<float> expected;
};

TEST_P(Determinism, LogitsAreFiniteAndDiffer) {
    float least = expected[0], most = expected[0];
    for (const float x : expected) {
        ASSERT_TRUE(std::isfinite(x));
        least = std::min(least, x), most = std::max(most, x);
    }
    EXPECT_LT(least, most);
}

TEST_P(Determinism, AnyNumberOfThreads) {
    for (const int n : {2, 3, 4}) EXPECT_EQ(logits_of(tiny, tokens, {.n_threads = n}), expected) << n << " threads";
}

TEST_P(Determinism, AnyChunkAndDecode) {
    for (const int size : {1, 2, 7, 16, 31, 32, 33, 64})
        EXPECT_EQ(logits_of(tiny, tokens, {.chunks = chunks_of(size)}), expected) << "chunks of " << size;
}

TEST_P(Determinism, EveryInstructionSet) {
    const auto usable = usable_kernels();
    ASSERT_EQ(usable.back()->name, "scalar");
    for (const Kernels* k : usable) EXPECT_EQ(logits_of(tiny, tokens, {.isa = std::string(k->name)}), expected) << k->name;
}

TEST_P(Determinism, CompanyInTheBatch) {
    const auto math = make_numerics(*tiny.model, {.n_pages = 4, .n_threads = 2});
    const auto other = some_tokens(1);
    const std::vector<int32_t> pages = {3, 1}, other_pages = {0, 2};
    Batch batch;
    batch.tokens = other;
    batch.tokens.insert(batch.tokens.end(), tokens.begin(), tokens.end());
    batch.chunks = {{.first_row = 0, .n_rows = n_tokens, .first_position = 0, .pages = other_pages},
                    {.first_row = n_tokens, .n_rows = n_tokens, .first_position = 0, .pages = pages}};
    batch.outputs = {2 * n_tokens - 1};
    const Value logits = tiny.model->forward(*math, batch);
    std::vector<float> row(static_cast<size_t>(logits.width));
    math->read_row(logits, 0, row);
    EXPECT_EQ(row, std::vector<float>(expected.end() - logits.width, expected.end()));
}

TEST_P(Determinism, WithoutAnyTechnique) {
    for (const TechniqueInfo& t : techniques) EXPECT_EQ(logits_of(tiny, tokens, {.without = {t.technique}}), expected) << t.name;
}

// So that the test above compares two ways of holding these weights.
TEST(DeterminismOfShortFloats, MatricesInBf16AreHeldSo) {
    const TinyModel tiny = make_tiny_model({.type = BlockType::bf16});
    const auto with = make_numerics(*tiny.model, {.n_pages = 1});
    const auto without = make_numerics(*tiny.model, {.n_pages = 1, .without = {Technique::short_floats}});
    for (const Weight& w : tiny.model->weights())
        if (w.role == Role::matrix) {
            EXPECT_LT(with->bytes_of(w), without->bytes_of(w)) << w.name;
        }
}

TEST(DeterminismOfKv, EveryTypeWithAnyThreadsChunksAndInstructionSet) {
    const TinyModel tiny = make_tiny_model({.type = BlockType::f16});
    const auto tokens = some_tokens(2);
    for (const KvType kv : {KvType::f32, KvType::q8_0}) {
        const auto expected = logits_of(tiny, tokens, {.n_threads = 1, .kv = kv});
        EXPECT_NE(logits_of(tiny, tokens, {}), expected) << "the type must matter";
        EXPECT_EQ(logits_of(tiny, tokens, {.n_threads = 3, .kv = kv}), expected);
        for (const int size : {1, 7, 33, 64}) EXPECT_EQ(logits_of(tiny, tokens, {.chunks = chunks_of(size), .kv = kv}), expected) << size;
        for (const Kernels* k : usable_kernels())
            EXPECT_EQ(logits_of(tiny, tokens, {.kv = kv, .isa = std::string(k->name)}), expected) << k->name;
    }
}

INSTANTIATE_TEST_SUITE_P(Types, Determinism,
                         testing::Values(BlockType::f32, BlockType::f16, BlockType::bf16, BlockType::q8_0, BlockType::q4_0, BlockType::q5_1,
                                         BlockType::q4_k, BlockType::q5_k, BlockType::q6_k, BlockType::q3_k, BlockType::iq4_nl),
                         [](const auto& type) { return std::string(kylin::info(type.param).name); });

}  // namespace
}  // namespace kylin
