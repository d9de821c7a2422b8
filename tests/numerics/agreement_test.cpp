// The three numerics agree on every stage, each as closely as its arithmetic allows.
#include <cmath>
#include <gtest/gtest.h>
#include <map>

#include "base/error.h"
#include "numerics/kv_store.h"
#include "numerics/make.h"
#include "support/tiny_model.h"

namespace kylin {
namespace {

using Stages = std::map<std::string, std::vector<double>>;

class Recorder : public Probe {
public:
    bool wants(Stage, int) const override { return true; }
    bool visit(const Visit& v) override {
        stages[trace_name(v.stage, v.layer)].assign(v.values.begin(), v.values.end());
        return false;
    }
    Stages stages;
};

Stages record(const TinyModel& tiny, NumericsKind kind, KvType kv) {
    const auto math = make_numerics(*tiny.model, {.kind = kind, .n_pages = 1, .kv = kv, .n_threads = 2});
    const std::vector<int32_t> pages = {0};
    Batch batch{.tokens = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8},
                .chunks = {{.first_row = 0, .n_rows = 12, .first_position = 0, .pages = pages}},
                .outputs = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}};
    Recorder recorder;
    math->attach(&recorder);
    tiny.model->forward(*math, batch);
    return recorder.stages;
}

// The largest relative L2 difference of any stage that both have.
double distance(const Stages& a, const Stages& b) {
    double worst = 0;
    size_t compared = 0;
    for (const auto& [name, reference] : b) {
        const auto found = a.find(name);
        if (found == a.end()) continue;
        ++compared;
        double error = 0, size = 0;
        for (size_t i = 0; i < reference.size(); ++i) {
            error += std::pow(found->second[i] - reference[i], 2);
            size += std::pow(reference[i], 2);
        }
        worst = std::max(worst, std::sqrt(error / size));
    }
    EXPECT_GE(compared, n_stages - 2);
    return worst;
}

TEST(Agreement, F32WeightsDifferByF32RoundingOnly) {
    const TinyModel tiny = make_tiny_model({.type = BlockType::f32});
    const Stages oracle = record(tiny, NumericsKind::oracle, KvType::f32);
    // Sums of up to 512 products of 2^-24 relative rounding, through two layers.
    EXPECT_LT(distance(record(tiny, NumericsKind::layercast, KvType::f32), oracle), 512 * 0x1p-24);
    EXPECT_LT(distance(record(tiny, NumericsKind::fast, KvType::f32), oracle), 512 * 0x1p-24);
}

TEST(Agreement, TheF16CacheCostsItsRounding) {
    const TinyModel tiny = make_tiny_model({.type = BlockType::f32});
    const Stages oracle = record(tiny, NumericsKind::oracle, KvType::f32);
    const double error = distance(record(tiny, NumericsKind::fast, KvType::f16), oracle);
    EXPECT_GT(error, 512 * 0x1p-24);
    EXPECT_LT(error, 8 * 0x1p-11);  // one rounding to 11 bits of K and of V in each of two layers, softened by the residual
}

TEST(Agreement, TheQ8_0CacheCostsItsRounding) {
    const TinyModel tiny = make_tiny_model({.type = BlockType::f32});
    const Stages oracle = record(tiny, NumericsKind::oracle, KvType::f32);
    const double error = distance(record(tiny, NumericsKind::fast, KvType::q8_0), oracle);
    EXPECT_GT(error, 8 * 0x1p-11);
    // 1 of 127 steps of a block's largest value is off by half at most; a Gaussian block of 32 has its largest at about twice its size.
    EXPECT_LT(error, 8 * 2.0 / 254);
}

TEST(Agreement, TheQ8_0CacheRefusesHeadsThatAreNotWholeBlocks) {
    Config config;
    config.n_layer = config.attention.n_head_kv = 1;
    for (const int head_dim : {1, 80, 100}) {
        config.attention.head_dim = head_dim;
        EXPECT_NO_THROW(KvPages(config, KvType::f16, 1));
        try {
            KvPages(config, KvType::q8_0, 1);
            ADD_FAILURE() << head_dim << " was accepted";
        } catch (const InputError& e) {
            EXPECT_EQ(std::string(e.what()), "KV cache: q8_0 needs a head_dim that is a multiple of 32, not " + std::to_string(head_dim));
        }
    }
    config.attention.head_dim = 96;
    EXPECT_EQ(KvPages(config, KvType::q8_0, 3).bytes(), 3 * 2 * 64 * (96 + 3 * 2));
}

TEST(Agreement, QuantizedActivationsCostTheirNoise) {
    for (const BlockType type : {BlockType::q8_0, BlockType::q4_k, BlockType::q6_k}) {
        const TinyModel tiny = make_tiny_model({.type = type});
        const Stages oracle = record(tiny, NumericsKind::oracle, KvType::f32);
        EXPECT_LT(distance(record(tiny, NumericsKind::layercast, KvType::f32), oracle), 512 * 0x1p-24) << info(type).name;
        // Rounding rows to 8 bits costs about 0.7 % of a Gaussian row (NMSE 4.9e-5); the massive channel makes its block coarser.
        EXPECT_LT(distance(record(tiny, NumericsKind::fast, KvType::f32), oracle), 0.2) << info(type).name;
    }
}

}  // namespace
}  // namespace kylin
