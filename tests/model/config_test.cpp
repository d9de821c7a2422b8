// Configuration comes from the file, with its source; what does not fit is an error that names the key.
#include "model/config.h"

#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limits>

#include "base/error.h"
#include "support/tiny_model.h"

namespace kylin {
namespace {

using Entries = std::vector<gguf::Entry>;
using Infos = std::vector<gguf::TensorInfo>;

void set(Entries& entries, const std::string& key, gguf::Value value) {
    for (auto& e : entries)
        if (e.key == key) {
            e.value = std::move(value);
            return;
        }
    entries.push_back({key, std::move(value)});
}
void drop(Entries& entries, const std::string& key) {
    std::erase_if(entries, [&](const auto& e) { return e.key == key; });
}

// The message that loading an edited model ends with; empty when it loads.
std::string message_of(const std::function<void(Entries&, Infos&)>& edit) {
    try {
        make_tiny_model({.edit = edit});
    } catch (const InputError& e) {
        return e.what();
    }
    return {};
}
std::string message_of(const std::string& key, gguf::Value value) {
    return message_of([&](Entries& entries, Infos&) { set(entries, key, value); });
}

using testing::HasSubstr;

TEST(Config, TakesEveryValueFromItsKey) {
    const TinyModel tiny = make_tiny_model({});
    const Config& c = tiny.model->config();
    EXPECT_EQ(c.architecture, "qwen3");
    EXPECT_EQ(c.n_layer, TinyModel::n_layer);
    EXPECT_EQ(c.n_vocab, TinyModel::n_vocab);
    EXPECT_EQ(c.attention.head_dim, TinyModel::head_dim);
    EXPECT_NE(c.attention.head_dim, c.n_embd / c.attention.n_head);
    EXPECT_EQ(c.attention.group(), TinyModel::n_head / TinyModel::n_head_kv);
    EXPECT_DOUBLE_EQ(c.attention.scale, 1 / std::sqrt(128.0));
    EXPECT_FLOAT_EQ(c.norm_eps, 1e-6f);
    EXPECT_DOUBLE_EQ(c.rope.base, 1e6);
    EXPECT_TRUE(c.rope.neox);
}

TEST(Config, SaysWhereEachValueComesFrom) {
    const TinyModel tiny = make_tiny_model({.edit = [](Entries& e, Infos&) { drop(e, "qwen3.rope.freq_base"); }});
    const auto source = [&](const std::string& field) {
        for (const auto& o : tiny.model->config().origins)
            if (o.field == field) return o.source;
        throw std::runtime_error("no origin of " + field);
    };
    EXPECT_EQ(source("n_layer"), Config::Source::key);
    EXPECT_EQ(source("rope.base"), Config::Source::fallback);
    EXPECT_EQ(tiny.model->config().rope.base, 10000);
    EXPECT_EQ(source("attention.scale"), Config::Source::derived);
}

TEST(Config, NamesAnUnknownArchitectureAndTheSupportedOnes) {
    EXPECT_THAT(message_of("general.architecture", std::string("mamba")), testing::AllOf(HasSubstr("\"mamba\""), HasSubstr("qwen3")));
}

TEST(Config, NamesEveryRequiredKeyThatIsMissing) {
    for (const char* key : {"general.architecture", "qwen3.block_count", "qwen3.context_length", "qwen3.embedding_length",
                            "qwen3.feed_forward_length", "qwen3.attention.head_count", "qwen3.attention.layer_norm_rms_epsilon"})
        EXPECT_THAT(message_of([&](Entries& e, Infos&) { drop(e, key); }), HasSubstr(key));
}

TEST(Config, NamesEveryKeyOfAnotherType) {
    for (const char* key : {"general.architecture", "qwen3.block_count", "qwen3.context_length", "qwen3.embedding_length",
                            "qwen3.feed_forward_length", "qwen3.attention.head_count", "qwen3.attention.head_count_kv",
                            "qwen3.attention.key_length", "qwen3.attention.layer_norm_rms_epsilon", "qwen3.rope.freq_base"})
        EXPECT_THAT(message_of(key, gguf::Value(gguf::Array(std::vector<int32_t>{1}))), HasSubstr(key));
}

TEST(Config, RefusesValuesOutOfRange) {
    const auto u = [](uint32_t v) { return gguf::Value(v); };
    const auto f = [](float v) { return gguf::Value(v); };
    const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
    const std::vector<std::pair<std::string, gguf::Value>> bad = {
        {"qwen3.block_count", u(0)},
        {"qwen3.block_count", u(1000000)},
        {"qwen3.block_count", gguf::Value(int32_t{-1})},
        {"qwen3.context_length", u(0)},
        {"qwen3.embedding_length", u(0)},
        {"qwen3.attention.head_count", u(0)},
        {"qwen3.attention.head_count_kv", u(0)},
        {"qwen3.attention.head_count_kv", u(3)},
        {"qwen3.attention.key_length", u(0)},
        {"qwen3.attention.key_length", u(127)},
        {"qwen3.attention.value_length", u(64)},
        {"qwen3.rope.freq_base", f(0)},
        {"qwen3.rope.freq_base", f(-1)},
        {"qwen3.rope.freq_base", f(nan)},
        {"qwen3.rope.freq_base", f(inf)},
        {"qwen3.rope.dimension_count", u(3)},
        {"qwen3.pooling_type", u(5)},
        {"qwen3.rope.dimension_count", u(256)},
        {"qwen3.attention.layer_norm_rms_epsilon", f(0)},
        {"qwen3.attention.layer_norm_rms_epsilon", f(-1e-6f)},
        {"qwen3.attention.layer_norm_rms_epsilon", f(nan)},
        {"qwen3.rope.scaling.type", std::string("longrope")},
    };
    for (const auto& [key, value] : bad) EXPECT_THAT(message_of(key, value), testing::Not(testing::IsEmpty())) << key;
}

TEST(Model, NamesATensorThatIsMissing) {
    for (const char* name : {"token_embd.weight", "output_norm.weight", "blk.1.attn_q_norm.weight", "blk.0.ffn_down.weight"})
        EXPECT_THAT(message_of([&](Entries&, Infos& t) { std::erase_if(t, [&](const auto& i) { return i.name == name; }); }),
                    HasSubstr(name));
}

TEST(Model, NamesBothShapesWhenATensorDoesNotFit) {
    const std::string message = message_of([](Entries&, Infos& t) {
        for (auto& i : t)
            if (i.name == "blk.0.attn_k.weight") i.ne = {256, 255, 1, 1};
    });
    EXPECT_THAT(message, testing::AllOf(HasSubstr("blk.0.attn_k.weight"), HasSubstr("[256, 255]"), HasSubstr("[256, 256]")));
}

TEST(Model, TakesTheEmbeddingForATiedOutput) {
    const TinyModel tied = make_tiny_model({.tied = true}), untied = make_tiny_model({});
    EXPECT_EQ(untied.model->weights().size(), tied.model->weights().size() + 1);
}

}  // namespace
}  // namespace kylin
