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
    struct Bad {
        std::string key;
        gguf::Value value;
        std::string why;
    };
    const std::vector<Bad> bad = {
        {"block_count", u(0), "outside 1 .. 4096"},
        {"block_count", u(4097), "outside 1 .. 4096"},
        {"block_count", gguf::Value(int32_t{-1}), "outside 1 .. 4096"},
        {"context_length", u(0), "outside 1 .. 1073741823"},
        {"context_length", u(1u << 30), "outside 1 .. 1073741823"},
        {"embedding_length", u(0), "outside 1 .. 1048576"},
        {"embedding_length", u((1u << 20) + 1), "outside 1 .. 1048576"},
        {"feed_forward_length", u((1u << 20) + 1), "outside 1 .. 1048576"},
        {"attention.head_count", u(0), "outside 1 .. 4096"},
        {"attention.head_count", u(4097), "outside 1 .. 4096"},
        {"attention.head_count_kv", u(0), "outside 1 .. 4096"},
        {"attention.head_count_kv", u(3), "not a multiple of"},
        {"attention.key_length", u(0), "outside 8 .. 4096"},
        {"attention.key_length", u(4104), "outside 8 .. 4096"},
        {"attention.key_length", u(127), "only multiples of 8"},
        {"attention.value_length", u(64), "different lengths"},
        {"rope.freq_base", f(0), "not above 0"},
        {"rope.freq_base", f(-1), "not above 0"},
        {"rope.freq_base", f(nan), "not above 0"},
        {"rope.freq_base", f(2e30f), "at most 1e+30"},
        {"rope.freq_base", f(inf), "at most 1e+30"},
        {"rope.dimension_count", u(0), "outside 2 .. 128"},
        {"rope.dimension_count", u(3), "is odd"},
        {"rope.dimension_count", u(256), "outside 2 .. 128"},
        {"pooling_type", u(5), "outside 0 .. 4"},
        {"attention.layer_norm_rms_epsilon", f(0), "not above 0"},
        {"attention.layer_norm_rms_epsilon", f(-1e-6f), "not above 0"},
        {"attention.layer_norm_rms_epsilon", f(nan), "not above 0"},
        {"attention.layer_norm_rms_epsilon", f(1.5f), "at most 1"},
        {"rope.scaling.type", std::string("longrope"), "not supported (none, linear, yarn)"},
    };
    for (const auto& [key, value, why] : bad) EXPECT_THAT(message_of("qwen3." + key, value), HasSubstr(why)) << key;
}

TEST(Config, RefusesHeadsThatDoNotDivideTheWidth) {
    EXPECT_THAT(message_of([](Entries& entries, Infos&) {
                    drop(entries, "qwen3.attention.key_length");
                    set(entries, "qwen3.attention.head_count", uint32_t{6});
                }),
                HasSubstr("qwen3.attention.key_length is missing, and embedding_length 256 is not a multiple of head_count 6"));
}

TEST(Config, RefusesAnEmptyVocabulary) {
    EXPECT_THAT(message_of("tokenizer.ggml.tokens", gguf::Array(std::vector<std::string>{})), HasSubstr("a vocabulary of 0 tokens"));
}

TEST(Model, NamesATensorThatIsMissing) {
    for (const char* name : {"token_embd.weight", "output_norm.weight", "blk.1.attn_q_norm.weight", "blk.0.ffn_down.weight"})
        EXPECT_THAT(message_of([&](Entries&, Infos& t) { std::erase_if(t, [&](const auto& i) { return i.name == name; }); }),
                    HasSubstr(name));
}

TEST(Model, NamesBothShapesWhenATensorDoesNotFit) {
    for (const auto& [wrong, text] : {std::pair(std::array<uint64_t, 4>{256, 255, 1, 1}, "[256, 255]"), {{255, 256, 1, 1}, "[255, 256]"}}) {
        const std::string message = message_of([&](Entries&, Infos& t) {
            for (auto& i : t)
                if (i.name == "blk.0.attn_k.weight") i.ne = wrong;
        });
        EXPECT_THAT(message, testing::AllOf(HasSubstr("blk.0.attn_k.weight"), HasSubstr(text), HasSubstr("[256, 256]")));
    }
}

TEST(Model, RefusesQuantizedVectors) {
    EXPECT_THAT(message_of([](Entries&, Infos& t) {
                    for (auto& i : t)
                        if (i.name == "output_norm.weight") i.type = BlockType::q8_0;
                }),
                testing::AllOf(HasSubstr("output_norm.weight"), HasSubstr("must not be quantized")));
}

TEST(Model, TakesTheEmbeddingForATiedOutput) {
    const TinyModel tied = make_tiny_model({.tied = true}), untied = make_tiny_model({});
    EXPECT_EQ(untied.model->weights().size(), tied.model->weights().size() + 1);
}

}  // namespace
}  // namespace kylin
