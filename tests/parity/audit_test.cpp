// The audit sees what is wrong, names its place, and finds nothing where nothing is.
#include "parity/audit.h"

#include <gtest/gtest.h>

#include "numerics/make.h"
#include "numerics/plain.h"
#include "parity/drive.h"
#include "support/tiny_model.h"

namespace kylin::parity {
namespace {

constexpr int n_prompt = 75, n_all = 90, n_pages = 2;  // more than a page; no multiple of a step

std::vector<int32_t> tokens() {
    std::vector<int32_t> ids;
    for (int i = 0; i < n_all; ++i) ids.push_back((i * 37 + 11) % TinyModel::n_vocab);
    return ids;
}

Audited audit(const TinyModel& tiny, Numerics& ours, const std::function<void(std::span<const float>)>& see = {}) {
    const auto oracle = make_numerics(*tiny.model, {.kind = NumericsKind::oracle, .n_pages = n_pages, .n_threads = 1});
    const std::vector<int32_t> all = tokens();
    return Auditor({*tiny.model, ours, *oracle, n_all}).run({.tokens = all, .n_prompt = n_prompt, .see = see});
}

Audited audit(const TinyModel& tiny, NumericsOptions options) {
    options.n_pages = 2 * n_pages;
    options.n_threads = 1;
    return audit(tiny, *make_numerics(*tiny.model, options));
}

TEST(Audit, OfTheOracleFindsNothing) {
    const Audited audited = audit(make_tiny_model({.type = BlockType::q8_0}), {.kind = NumericsKind::oracle});
    EXPECT_EQ(audited.n_tokens, n_all - n_prompt + 1);
    EXPECT_EQ(audited.n_same_top, audited.n_tokens);
    EXPECT_LT(audited.kl_max, 1e-13);  // rows of logits are read as F32, 6e-8 of 5 away; KL goes with the square
    EXPECT_FALSE(audited.worst);
}

// What is audited is what was served: the logits are those of the plain loop, bit for bit.
TEST(Audit, SeesTheLogitsThatChose) {
    const TinyModel tiny = make_tiny_model({.type = BlockType::q4_k});
    struct Logits : StepProbe {
        bool wants(Stage s, int) const override { return s == Stage::logits; }
        bool visit(const Visit& v) override {
            rows.insert(rows.end(), v.values.begin(), v.values.end());
            return false;
        }
        std::vector<double> rows;
    } expected;
    const auto math = make_numerics(*tiny.model, {.n_pages = 2 * n_pages});
    drive(*math, {*tiny.model, tokens(), n_prompt}, &expected);
    std::vector<double> seen;
    const Audited audited = audit(tiny, *math, [&](std::span<const float> row) { seen.insert(seen.end(), row.begin(), row.end()); });
    ASSERT_EQ(seen.size(), static_cast<size_t>(audited.n_tokens * TinyModel::n_vocab));
    EXPECT_TRUE(std::equal(seen.begin(), seen.end(), expected.rows.end() - static_cast<std::ptrdiff_t>(seen.size())));
    EXPECT_GT(audited.kl_sum, 0);
    EXPECT_GE(audited.kl_max * audited.n_tokens, audited.kl_sum);
}

// Layer 1 makes its activation by `factor` too large, for the rows from `from` on.
class Faulty final : public Plain<double> {
public:
    Faulty(const Model& model, double factor) : Plain<double>(model, {.n_threads = 1}), factor_(factor) {}

protected:
    void do_silu_mul(Value out, Value gate, Value up) override {
        Plain<double>::do_silu_mul(out, gate, up);
        if (layer() != 1) return;
        for (int r = 0; r < out.rows; ++r)
            for (int i = 0; i < out.width; ++i) row(out, r)[i] *= factor_;
    }

private:
    double factor_;
};

TEST(Audit, NamesThePlaceOfAFault) {
    const TinyModel tiny = make_tiny_model({.type = BlockType::q8_0});
    double before = 0;
    for (const double excess : {1e-4, 1e-2, 1.0}) {
        Faulty ours(*tiny.model, 1 + excess);
        const Audited audited = audit(tiny, ours);
        ASSERT_TRUE(audited.worst);
        EXPECT_EQ(trace_name(audited.worst->at), "ffn_act.1");
        EXPECT_NEAR(audited.worst->relative_error, excess, 1e-9 * excess);  // float64 rounds at 1e-16 of values that differ by 1e-4
        EXPECT_GT(audited.kl_max, before);
        before = audited.kl_max;
    }
}

TEST(Audit, SeesACoarserCache) {
    const TinyModel tiny = make_tiny_model({.type = BlockType::f32});
    double before = 0;
    for (const KvType kv : {KvType::f32, KvType::f16, KvType::q8_0}) {
        const Audited audited = audit(tiny, {.kv = kv});
        EXPECT_GT(audited.kl_sum, 10 * before) << name(kv);  // F16 rounds 2^13 times coarser than F32, Q8_0 some 2^3 times coarser than F16
        before = audited.kl_sum;
        if (kv == KvType::f32) continue;
        EXPECT_EQ(audited.worst->at.stage, Stage::attn_heads) << name(kv);
    }
}

TEST(Audit, CallsWhatIsNotFiniteInfinitelyWrong) {
    const TinyModel tiny = make_tiny_model({.type = BlockType::q8_0});
    Faulty ours(*tiny.model, std::numeric_limits<double>::quiet_NaN());
    const Audited audited = audit(tiny, ours);
    EXPECT_EQ(audited.kl_max, std::numeric_limits<double>::infinity());
    EXPECT_EQ(trace_name(audited.worst->at), "ffn_act.1");
}

TEST(Audit, SharesThePackedWeights) {
    const TinyModel tiny = make_tiny_model({.type = BlockType::q4_k});
    const auto served = make_numerics(*tiny.model, {.n_pages = 1});
    const auto beside = make_numerics(*tiny.model, {.n_pages = 2 * n_pages, .n_threads = 1, .beside = served.get()});
    const Audited shared = audit(tiny, *beside), own = audit(tiny, {});
    EXPECT_EQ(shared.kl_sum, own.kl_sum);
    EXPECT_EQ(shared.worst->relative_error, own.worst->relative_error);
}

}  // namespace
}  // namespace kylin::parity
