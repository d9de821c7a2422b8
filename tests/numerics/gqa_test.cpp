// Grouped-query attention with values a person can check: query head h reads KV head h / (n_head / n_head_kv).
#include <gtest/gtest.h>

#include "numerics/make.h"
#include "support/tiny_model.h"

namespace kylin {
namespace {

// Puts values of its own into queries, keys and values, and keeps the heads.
struct Planted : Probe {
    bool wants(Stage s, int layer) const override {
        return layer == 0 && (s == Stage::q_rope || s == Stage::k_rope || s == Stage::v_proj || s == Stage::attn_heads);
    }
    bool visit(const Visit& v) override {
        if (v.stage == Stage::attn_heads) {
            heads.assign(v.values.begin(), v.values.end());
            return false;
        }
        // Queries and keys of zeros weigh all visible keys alike. Values: 10 * (KV head + 1) + token, in every channel.
        for (int r = 0; r < v.rows; ++r)
            for (int i = 0; i < v.width; ++i)
                v.values[static_cast<size_t>(r * v.width + i)] = v.stage == Stage::v_proj ? 10.0 * (i / TinyModel::head_dim + 1) + r : 0.0;
        return true;
    }
    std::vector<double> heads;
};

TEST(GroupedQueryAttention, EachGroupReadsItsOwnKvHead) {
    static_assert(TinyModel::n_head == 4 && TinyModel::n_head_kv == 2);
    constexpr int n_tokens = 3;
    const TinyModel tiny = make_tiny_model({.type = BlockType::f32});
    for (const NumericsKind kind : {NumericsKind::fast, NumericsKind::layercast, NumericsKind::oracle}) {
        const auto math = make_numerics(*tiny.model, {.kind = kind, .n_pages = 1, .n_threads = 2});
        const std::vector<int32_t> pages = {0};
        Batch batch{
            .tokens = {1, 2, 3}, .chunks = {{.first_row = 0, .n_rows = n_tokens, .first_position = 0, .pages = pages}}, .outputs = {2}};
        Planted probe;
        math->attach(&probe);
        tiny.model->forward(*math, batch);
        // Heads 0 and 1 read KV head 0, heads 2 and 3 KV head 1; token r sees the mean of values 0 .. r: 10 * (KV head + 1) + r / 2.
        for (int r = 0; r < n_tokens; ++r)
            for (int head = 0; head < TinyModel::n_head; ++head)
                for (const int channel : {0, TinyModel::head_dim - 1}) {
                    const auto at = static_cast<size_t>((r * TinyModel::n_head + head) * TinyModel::head_dim + channel);
                    // 1/3 is not a float: three roundings of it, times 12.
                    EXPECT_NEAR(probe.heads.at(at), 10.0 * (head / 2 + 1) + r / 2.0, 12 * 3 * 0x1p-24)
                        << name(kind) << " head " << head << " token " << r;
                }
    }
}

}  // namespace
}  // namespace kylin
