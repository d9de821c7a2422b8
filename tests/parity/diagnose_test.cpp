// Mistakes made on purpose are named again: one or two of each family of the catalogue, in float64 on a small random model. The engine
// with the mistake is the one that diagnoses; tests/faults plants every mistake in an engine that shares no code with it.
#include "parity/diagnose.h"

#include <cmath>
#include <gtest/gtest.h>
#include <set>

#include "base/temporary_folder.h"
#include "parity/altered.h"
#include "parity/hypotheses_solve.h"
#include "parity/probes.h"
#include "parity/record.h"
#include "support/tiny_model.h"

namespace kylin::parity {
namespace {

const std::vector<int32_t> tokens = {104, 101, 97, 260, 270, 5, 271, 97, 44};
constexpr int n_prompt = 6, n_threads = 1;

struct Planted {
    const char* name;
    Values values = {};
    Where where = {};
    Stage stage;                      // the first that shows it
    BlockType type = BlockType::f32;  // of the matrices
};

const TinyModel& model_of(BlockType type) {
    static std::map<BlockType, TinyModel> models;
    if (!models.contains(type)) models.emplace(type, make_tiny_model({.type = type}));
    return models.at(type);
}

Diagnosis diagnose_planted(const std::vector<Planted>& list) {
    const Model& model = *model_of(list.empty() ? BlockType::f32 : list[0].type).model;
    const NumericsOptions options{
        .kind = NumericsKind::oracle, .n_pages = pages_for(static_cast<int>(tokens.size())), .n_threads = n_threads};
    std::vector<Mistake> mistakes;
    for (const Planted& p : list) mistakes.push_back(mistake(model, *hypothesis_named(p.name), p.values, p.where, n_prompt));
    Altered math(model, options, {}, mistakes, n_prompt);
    const TemporaryFolder folder("kylin-test");
    const auto path = folder.path() / "trace.safetensors";
    std::set<Stage> stages = linear_stages();
    stages.insert({Stage::attn_scores, Stage::attn_probs});
    record({model, tokens, n_prompt}, math, {"test", "float64", tokens, n_prompt}, {.stages = stages, .path = path});
    const TraceReader trace = TraceReader::open(path);
    return diagnose({.model = model, .options = options, .trace = trace, .whose = "test", .progress = {}});
}

std::set<std::string> names(const Diagnosis& d) {
    std::set<std::string> list;
    for (const Fault& f : d.faults) list.insert(f.name);
    return list;
}

class Naming : public testing::TestWithParam<Planted> {};

TEST_P(Naming, NamesWhatWasPlanted) {
    const Planted& p = GetParam();
    const Diagnosis d = diagnose_planted({p});
    ASSERT_EQ(names(d), std::set<std::string>{p.name}) << d.sentence;
    const Fault& first = d.faults[0];
    EXPECT_EQ(first.at.stage, p.stage);
    EXPECT_EQ(first.at.layer, info(p.stage).scope == Scope::once ? 0 : p.where.first_layer);
    EXPECT_EQ(first.phase, p.where.phase);
    EXPECT_LT(first.after, 1e-6 * std::max(1.0, first.before));
    for (size_t i = 0; i < p.values.size(); ++i) EXPECT_NEAR(first.parameters[i].values[0], p.values[i], 1e-4 * std::fabs(p.values[i]));
    EXPECT_EQ(d.sentence.find('{'), std::string::npos) << "a parameter without a value: " << d.sentence;
}

using enum Stage;
const Planted families[] = {
    {.name = "rope-norm-for-neox", .stage = q_rope},
    {.name = "rope-base", .values = {123456}, .stage = q_rope},
    {.name = "position-offset", .values = {-1}, .where = {1, 1, Phase::decode}, .stage = q_rope},
    {.name = "norm-eps", .values = {1e-5}, .stage = attn_norm},
    {.name = "norm-missing", .where = {1, 1}, .stage = attn_norm},
    {.name = "attention-scale", .values = {0.125}, .stage = attn_scores},
    {.name = "gqa-interleaved", .where = {1, 1}, .stage = attn_scores},
    {.name = "sliding-window", .values = {3}, .stage = attn_scores},
    {.name = "v-cache-layout", .where = {0, 0}, .stage = attn_heads},
    {.name = "weight-transposed", .where = {1, 1}, .stage = q_proj},
    {.name = "simd-lane-lost", .values = {8, 3}, .where = {0, 0}, .stage = q_proj},
    {.name = "gate-up-swapped", .stage = ffn_act},
    {.name = "gelu-for-silu", .where = {0, 0, Phase::prompt}, .stage = ffn_act},
    {.name = "branch-missing", .where = {1, 1}, .stage = attn_residual},
    {.name = "embedding-scale", .values = {16}, .stage = embedding},
    {.name = "softcap-of-logits", .values = {30}, .stage = logits},
    {.name = "q4_k-nibble-order", .where = {1, 1}, .stage = embedding, .type = BlockType::q4_k},
    {.name = "q6_k-scales-unsigned", .where = {0, 0}, .stage = embedding, .type = BlockType::q6_k},
};
INSTANTIATE_TEST_SUITE_P(Families, Naming, testing::ValuesIn(families), [](const auto& p) {
    std::string name = p.param.name;
    std::ranges::replace(name, '-', '_');
    return name;
});

TEST(Diagnose, FindsNothingInARightRun) {
    const Diagnosis d = diagnose_planted({});
    EXPECT_TRUE(d.faults.empty()) << d.sentence;
    EXPECT_GT(d.n_judged, 30u);
    EXPECT_TRUE(d.missing.empty());
}

TEST(Diagnose, PeelsFaultsOfSeveralStages) {
    const Diagnosis d = diagnose_planted({{.name = "rope-base", .values = {10000}, .stage = q_rope},
                                          {.name = "gelu-for-silu", .stage = ffn_act},
                                          {.name = "residual-doubled", .where = {1, 1}, .stage = layer_out}});
    EXPECT_EQ(names(d), (std::set<std::string>{"rope-base", "gelu-for-silu", "residual-doubled"})) << d.sentence;
}

TEST(Diagnose, SeparatesTwoFaultsOfOneStage) {
    const Diagnosis d =
        diagnose_planted({{.name = "rope-norm-for-neox", .stage = q_rope}, {.name = "position-offset", .values = {1}, .stage = q_rope}});
    EXPECT_EQ(names(d), (std::set<std::string>{"rope-norm-for-neox", "position-offset"})) << d.sentence;
}

TEST(Diagnose, SaysWhatItCannotExplain) {
    const Model& model = *model_of(BlockType::f32).model;
    const Mistake made{{ffn_act}, {1, 1}, [](Form& f, const Place&) {
                           f.after = [](std::span<double> row, int) {
                               for (double& x : row) x = std::exp(x) - 3;
                           };
                       }};
    const NumericsOptions options{.kind = NumericsKind::oracle, .n_pages = 1, .n_threads = n_threads};
    Altered math(model, options, {}, {made}, n_prompt);
    const TemporaryFolder folder("kylin-test");
    const auto path = folder.path() / "trace.safetensors";
    record({model, tokens, n_prompt}, math, {"test", "float64", tokens, n_prompt}, {.stages = linear_stages(), .path = path});
    const TraceReader trace = TraceReader::open(path);
    const Diagnosis d = diagnose({.model = model, .options = options, .trace = trace, .whose = "test", .progress = {}});
    ASSERT_EQ(d.faults.size(), 1u) << d.sentence;
    EXPECT_EQ(d.faults[0].name, "unexplained");
    EXPECT_EQ(trace_name(d.faults[0].at), "ffn_act.1");
    EXPECT_FALSE(d.explained());
}

TEST(Catalogue, EveryEntryHasItsWords) {
    std::set<std::string_view> seen;
    for (const Hypothesis& h : hypotheses()) {
        EXPECT_TRUE(seen.insert(h.name).second) << h.name << " is there twice";
        EXPECT_FALSE(h.stages.empty()) << h.name;
        EXPECT_FALSE(h.explanation.empty()) << h.name;
        EXPECT_FALSE(h.fix.empty()) << h.name;
        EXPECT_FALSE(h.shows_with.empty()) << h.name;
        EXPECT_EQ(h.parameters.empty(), h.candidates == nullptr) << h.name << ": parameters need values to try";
        EXPECT_EQ(hypothesis_named(h.name), &h);
    }
}

TEST(Numbers, AreWrittenAsAPersonWritesThem) {
    EXPECT_EQ(number_text(10000), "10000");
    EXPECT_EQ(number_text(1e-5), "1e-05");
    EXPECT_EQ(number_text(1 / std::sqrt(200.0)), "1/sqrt(200)");
    EXPECT_EQ(number_text(1.0 / 96), "1/96");
    EXPECT_EQ(plain_numbers_near(9.99997e-6)[0], 1e-5);
    EXPECT_EQ(plain_numbers_near(512345.6).back(), 512345.6);
}

}  // namespace
}  // namespace kylin::parity
