// The certified bounds are sound: no engine that only rounds leaves them; and sharp: a flipped bit of a weight does.
// KYLIN_BOUND_ELEMENTS sets how many elements are judged (default 5e6; the published figure is 1e8).
#include "numerics/certified.h"

#include <cmath>
#include <cstdlib>
#include <gtest/gtest.h>
#include <map>
#include <random>

#include "numerics/make.h"
#include "support/tiny_model.h"

namespace kylin {
namespace {

using Stages = std::map<std::string, std::vector<double>>;

struct Recorder : Probe {
    bool wants(Stage, int) const override { return true; }
    bool visit(const Visit& v) override {
        stages[trace_name(v.stage, v.layer)].assign(v.values.begin(), v.values.end());
        return false;
    }
    Stages stages;
};

// Judges another run's values, stage by stage, from that run's own inputs.
struct Judge : Probe {
    Judge(const Certified& certified, const Stages& run) : math(certified), stages(run) {}
    bool wants(Stage, int) const override { return true; }
    bool visit(const Visit& v) override {
        const auto& theirs = stages.at(trace_name(v.stage, v.layer));
        const auto& bound = math.bound(v.stage).sums;
        for (size_t i = 0; i < v.values.size(); ++i)
            if (!(std::fabs(theirs[i] - v.values[i]) <= bound[i]) && first_violation.empty())
                first_violation = trace_name(v.stage, v.layer);
        for (size_t i = 0; i < v.values.size(); ++i)
            if (bound[i] > 0) worst = std::max(worst, std::fabs(theirs[i] - v.values[i]) / bound[i]);
        n += v.values.size();
        std::ranges::copy(theirs, v.values.begin());
        return true;
    }
    const Certified& math;
    const Stages& stages;
    std::string first_violation;
    double worst = 0;
    size_t n = 0;
};

struct Setting {
    NumericsKind kind = NumericsKind::fast;
    KvType kv = KvType::f32;
    std::vector<int32_t> tokens;
};

void forward(const TinyModel& tiny, Numerics& math, const std::vector<int32_t>& tokens, Probe& probe) {
    const std::vector<int32_t> pages = {0};
    const int n = static_cast<int>(tokens.size());
    Batch batch{.tokens = tokens, .chunks = {{.first_row = 0, .n_rows = n, .first_position = 0, .pages = pages}}, .outputs = {}};
    for (int r = 0; r < n; ++r) batch.outputs.push_back(r);
    math.attach(&probe);
    tiny.model->forward(math, batch);
}

Stages record(const TinyModel& tiny, const Setting& run) {
    const auto math = make_numerics(*tiny.model, {.kind = run.kind, .n_pages = 1, .kv = run.kv, .n_threads = 2});
    Recorder recorder;
    forward(tiny, *math, run.tokens, recorder);
    return std::move(recorder.stages);
}

Judge judged(const TinyModel& tiny, const Setting& run, const Stages& stages, const Certified& certified) {
    Judge judge(certified, stages);
    forward(tiny, const_cast<Certified&>(certified), run.tokens, judge);
    return judge;
}

std::unique_ptr<Certified> certified_for(const TinyModel& tiny, const Setting& run) {
    Rounding rounding;
    if (run.kind == NumericsKind::fast) rounding = {.inputs = Rounding::Inputs::kylin, .kv = run.kv, .lanes = 8};
    return std::make_unique<Certified>(*tiny.model, NumericsOptions{.kind = NumericsKind::oracle, .n_pages = 1, .n_threads = 2}, rounding);
}

std::vector<int32_t> random_tokens(std::mt19937& random) {
    std::vector<int32_t> tokens(1 + random() % 64);
    for (int32_t& t : tokens) t = static_cast<int32_t>(random() % TinyModel::n_vocab);
    return tokens;
}

TEST(Certified, NoRunOfKylinLeavesItsBounds) {
    const char* asked = std::getenv("KYLIN_BOUND_ELEMENTS");
    const double n_wanted = asked ? std::atof(asked) : 5e6;
    std::mt19937 random(7);
    double n = 0, worst = 0;
    for (unsigned seed = 1; n < n_wanted; ++seed) {
        const BlockTypeInfo& type = block_type_table[seed % block_type_table.size()];
        const TinyModel tiny = make_tiny_model({.type = type.type, .tied = random() % 2 == 0, .seed = seed});
        Setting run{.kind = random() % 4 ? NumericsKind::fast : NumericsKind::layercast,
                    .kv = static_cast<KvType>(random() % std::size(kv_type_names)),
                    .tokens = random_tokens(random)};
        const auto certified = certified_for(tiny, run);
        const Judge judge = judged(tiny, run, record(tiny, run), *certified);
        ASSERT_EQ(judge.first_violation, "") << type.name << ", seed " << seed << ", " << name(run.kind);
        n += static_cast<double>(judge.n);
        worst = std::max(worst, judge.worst);
    }
    std::printf("%.3g elements, largest difference %.3g of its bound\n", n, worst);
    // Additions are correctly rounded and reach their bound; nothing may be beyond.
    EXPECT_LE(worst, 1);
    EXPECT_GT(worst, 0.5);
}

// The tensor, the stage it makes, and the byte of a block whose highest bit weighs much in one weight.
struct Flip {
    BlockType type;
    size_t byte;
    uint8_t bit;
};

TEST(Certified, AFlippedBitOfAWeightIsProvenAndLocated) {
    constexpr std::pair<const char*, const char*> matrices[] = {
        {"blk.0.attn_q.weight", "q_proj.0"},     {"blk.0.attn_k.weight", "k_proj.0"},
        {"blk.1.attn_v.weight", "v_proj.1"},     {"blk.1.attn_output.weight", "attn_out.1"},
        {"blk.0.ffn_gate.weight", "ffn_gate.0"}, {"blk.1.ffn_up.weight", "ffn_up.1"},
        {"blk.1.ffn_down.weight", "ffn_down.1"}, {"output.weight", "logits"}};
    // F32, F16: the lowest bit of the exponent; the others: the highest bit of a quant.
    const Flip flips[] = {{BlockType::f32, 2, 7},  {BlockType::f16, 1, 2},   {BlockType::q8_0, 5, 6},
                          {BlockType::q4_0, 5, 3}, {BlockType::q4_k, 40, 3}, {BlockType::q6_k, 130, 1}};
    std::mt19937 random(3);
    for (const Flip& flip : flips)
        for (const auto& [tensor, stage] : matrices) {
            const TinyModel right = make_tiny_model({.type = flip.type, .seed = 5});
            TinyModel wrong = make_tiny_model({.type = flip.type, .seed = 5});
            const gguf::Tensor* t = wrong.file->find_tensor(tensor);
            ASSERT_TRUE(t);
            const size_t block = random() % (t->data.size() / info(flip.type).bytes);
            const auto at = static_cast<size_t>(t->data.data() - wrong.bytes.data()) + block * info(flip.type).bytes + flip.byte;
            wrong.bytes[at] ^= static_cast<std::byte>(1 << flip.bit);
            Setting run{.tokens = {}};
            for (int i = 0; i < 12; ++i) run.tokens.push_back(static_cast<int32_t>(6 + random() % 300));
            const auto certified = certified_for(right, run);
            const Judge judge = judged(right, run, record(wrong, run), *certified);
            EXPECT_EQ(judge.first_violation, stage) << info(flip.type).name;
        }
}

}  // namespace
}  // namespace kylin
