// Probing reads every stage and changes no bit; forcing puts other values in its place.
#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <map>
#include <set>
#include <utility>

#include "numerics/make.h"
#include "support/peaks.h"
#include "support/tiny_model.h"

namespace kylin {
namespace {

constexpr int n_rows = 9;

class EveryStage : public Probe {
public:
    bool wants(Stage, int) const override { return true; }
    bool visit(const Visit& v) override {
        seen.insert(trace_name(v.stage, v.layer));
        EXPECT_EQ(v.values.size(), static_cast<size_t>(v.rows) * static_cast<size_t>(v.width));
        return rewrite;
    }
    std::set<std::string> seen;
    bool rewrite = false;
};

class Zeroes : public Probe {
public:
    explicit Zeroes(Stage stage) : stage_(stage) {}
    bool wants(Stage stage, int) const override { return stage == stage_; }
    bool visit(const Visit& v) override {
        std::ranges::fill(v.values, 0.0);
        return true;
    }

private:
    Stage stage_;
};

std::vector<float> last_logits(const TinyModel& tiny, Numerics& math, Probe* probe) {
    const std::vector<int32_t> pages = {0};
    Batch batch{.tokens = {3, 1, 4, 1, 5, 9, 2, 6, 5},
                .chunks = {{.first_row = 0, .n_rows = n_rows, .first_position = 0, .pages = pages}},
                .outputs = {n_rows - 1}};
    math.attach(probe);
    const Value logits = tiny.model->forward(math, batch);
    math.attach(nullptr);
    std::vector<float> row(static_cast<size_t>(logits.width));
    math.read_row(logits, 0, row);
    expect_own_peaks(math, logits);
    return row;
}

class Probing : public testing::TestWithParam<NumericsKind> {
protected:
    TinyModel tiny = make_tiny_model({.type = BlockType::q4_k});
    std::unique_ptr<Numerics> math = make_numerics(*tiny.model, {.kind = GetParam(), .n_pages = 1, .n_threads = 2});
};

TEST_P(Probing, ChangesNoBit) {
    const auto expected = last_logits(tiny, *math, nullptr);
    EveryStage probe;
    EXPECT_EQ(last_logits(tiny, *math, &probe), expected);
    probe.rewrite = true;  // the values that were shown are written back
    EXPECT_EQ(last_logits(tiny, *math, &probe), expected);
}

TEST_P(Probing, SeesEveryStageOfTheList) {
    EveryStage probe;
    last_logits(tiny, *math, &probe);
    for (size_t s = 0; s < n_stages; ++s) {
        const auto stage = static_cast<Stage>(s);
        const int n_layers = info(stage).scope == Scope::once ? 1 : TinyModel::n_layer;
        for (int layer = 0; layer < n_layers; ++layer)
            EXPECT_TRUE(probe.seen.contains(trace_name(stage, layer))) << trace_name(stage, layer);
    }
}

TEST_P(Probing, EveryStageMatters) {
    const auto expected = last_logits(tiny, *math, nullptr);
    for (size_t s = 0; s < n_stages; ++s) {
        const auto stage = static_cast<Stage>(s);
        Zeroes zeroes(stage);
        EXPECT_NE(last_logits(tiny, *math, &zeroes), expected) << info(stage).name;
    }
}

// Puts zeros in a stage's place and keeps the next one's largest magnitude, by layer.
class ZeroesBefore : public Zeroes {
public:
    ZeroesBefore(Stage stage, Stage next) : Zeroes(stage), next_(next) {}
    bool wants(Stage stage, int layer) const override { return stage == next_ || Zeroes::wants(stage, layer); }
    bool visit(const Visit& v) override {
        if (v.stage != next_) return Zeroes::visit(v);
        for (const double x : v.values) largest[v.layer] = std::max(largest[v.layer], std::abs(x));
        return false;
    }
    std::map<int, double> largest;

private:
    Stage next_;
};

// What was derived from a stage before a probe changed it, its quantized form for one, is not what the next stage reads.
TEST_P(Probing, TheNextStageReadsWhatWasPut) {
    for (const auto& [stage, next] : {std::pair{Stage::attn_probs, Stage::attn_out},
                                      {Stage::attn_heads, Stage::attn_out},
                                      {Stage::attn_norm, Stage::q_proj},
                                      {Stage::ffn_act, Stage::ffn_down}}) {
        last_logits(tiny, *math, nullptr);  // whose shortcuts are taken the next time
        ZeroesBefore probe(stage, next);
        last_logits(tiny, *math, &probe);
        EXPECT_EQ(probe.largest, (std::map<int, double>{{0, 0.0}, {1, 0.0}})) << info(stage).name;
    }
}

INSTANTIATE_TEST_SUITE_P(Numerics, Probing, testing::Values(NumericsKind::fast, NumericsKind::layercast, NumericsKind::oracle),
                         [](const testing::TestParamInfo<NumericsKind>& k) { return std::string(name(k.param)); });

TEST(Cancelling, EndsThePassAndTheNextOneWorks) {
    const TinyModel tiny = make_tiny_model({.type = BlockType::f32});
    const auto math = make_numerics(*tiny.model, {.n_pages = 1, .n_threads = 1});
    const auto expected = last_logits(tiny, *math, nullptr);
    std::atomic<bool> stop = true;
    math->cancel_on(&stop);
    EXPECT_THROW(last_logits(tiny, *math, nullptr), Cancelled);
    stop = false;
    EXPECT_EQ(last_logits(tiny, *math, nullptr), expected);
}

}  // namespace
}  // namespace kylin
