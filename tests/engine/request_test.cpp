#include "engine/request.h"

#include <cmath>
#include <functional>
#include <gtest/gtest.h>
#include <limits>

#include "base/error.h"

namespace kylin {
namespace {

constexpr RequestLimits limits{.n_vocab = 100, .n_ctx = 10};
constexpr double nan = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();

GenerationSpec good() { return {.prompt = {1, 2, 3}}; }

std::string error_of(const GenerationSpec& spec) {
    try {
        GenerationRequest(spec, limits);
    } catch (const InputError& e) {
        return e.what();
    }
    return "accepted";
}

TEST(GenerationRequest, LimitsTheAnswerToTheContext) {
    EXPECT_EQ(GenerationRequest(good(), limits).max_tokens(), 7);
    GenerationSpec spec = good();
    spec.max_tokens = 5;
    EXPECT_EQ(GenerationRequest(spec, limits).max_tokens(), 5);
    spec.max_tokens = 500;
    EXPECT_EQ(GenerationRequest(spec, limits).max_tokens(), 7);
}

TEST(GenerationRequest, NamesBothNumbersOfAPromptThatIsTooLong) {
    GenerationSpec spec{.prompt = std::vector<int32_t>(9, 1)};
    EXPECT_EQ(GenerationRequest(spec, limits).max_tokens(), 1);
    spec.prompt.push_back(1);
    EXPECT_EQ(error_of(spec), "prompt: 10 tokens leave no room for an answer in a context of 10");
    spec.embed = true;
    EXPECT_EQ(GenerationRequest(spec, limits).n_positions(), 10);
    spec.prompt.push_back(1);
    EXPECT_EQ(error_of(spec), "prompt: 11 tokens do not fit a context of 10");
}

TEST(GenerationRequest, ChecksEveryNumberOfTheTableAtBothEnds) {
    ASSERT_EQ(sampling_fields().size(), 9u);
    for (const SamplingField& field : sampling_fields()) {
        const auto with = [&](double value) {
            GenerationSpec spec = good();
            if (const auto* real = std::get_if<double Sampling::*>(&field.member)) spec.sampling.*(*real) = value;
            if (const auto* integer = std::get_if<int Sampling::*>(&field.member)) spec.sampling.*(*integer) = static_cast<int>(value);
            return error_of(spec);
        };
        EXPECT_EQ(with(field.low), "accepted") << field.name;
        EXPECT_EQ(with(field.high), "accepted") << field.name;
        EXPECT_TRUE(with(field.low - 1).starts_with(std::string(field.name) + ": ")) << with(field.low - 1);
        EXPECT_TRUE(with(field.high + 1).starts_with(std::string(field.name) + ": ")) << with(field.high + 1);
        if (std::holds_alternative<int Sampling::*>(field.member)) continue;
        EXPECT_NE(with(nan), "accepted") << field.name;
        EXPECT_NE(with(infinity), "accepted") << field.name;
        EXPECT_NE(with(-infinity), "accepted") << field.name;
    }
}

struct BadField {
    std::string name;
    std::function<void(GenerationSpec&)> spoil;
};

class BadFields : public testing::TestWithParam<BadField> {};

TEST_P(BadFields, AreNamed) {
    GenerationSpec spec = good();
    GetParam().spoil(spec);
    EXPECT_TRUE(error_of(spec).starts_with(GetParam().name + ": ")) << error_of(spec);
}

INSTANTIATE_TEST_SUITE_P(GenerationRequest, BadFields,
                         testing::Values(BadField{"prompt", [](auto& s) { s.prompt.clear(); }},       //
                                         BadField{"prompt", [](auto& s) { s.prompt[1] = 100; }},      //
                                         BadField{"prompt", [](auto& s) { s.prompt[1] = -1; }},       //
                                         BadField{"max_tokens", [](auto& s) { s.max_tokens = 0; }},   //
                                         BadField{"max_tokens", [](auto& s) { s.max_tokens = -2; }},  //
                                         BadField{"logprobs", [](auto& s) { s.logprobs = -1; }},      //
                                         BadField{"logprobs", [](auto& s) { s.logprobs = 21; }},      //
                                         BadField{"logit_bias",
                                                  [](auto& s) {
                                                      s.sampling.logit_bias = {{100, 1.0f}};
                                                  }},  //
                                         BadField{"logit_bias",
                                                  [](auto& s) {
                                                      s.sampling.logit_bias = {{-1, 1.0f}};
                                                  }},  //
                                         BadField{"logit_bias",
                                                  [](auto& s) {
                                                      s.sampling.logit_bias = {{1, 100.5f}};
                                                  }},  //
                                         BadField{"logit_bias",
                                                  [](auto& s) {
                                                      s.sampling.logit_bias = {{1, std::nanf("")}};
                                                  }},  //
                                         BadField{"logit_bias",
                                                  [](auto& s) {
                                                      s.sampling.logit_bias.assign(1025, {1, 1.0f});
                                                  }},  //
                                         BadField{"stop",
                                                  [](auto& s) {
                                                      s.stop = {"a", ""};
                                                  }},                                                           //
                                         BadField{"stop", [](auto& s) { s.stop = {std::string(1025, 'a')}; }},  //
                                         BadField{"stop", [](auto& s) { s.stop = {"\xC3"}; }},                  //
                                         BadField{"stop", [](auto& s) { s.stop.assign(17, "a"); }},             //
                                         BadField{"stop_tokens", [](auto& s) { s.stop_tokens = {100}; }},       //
                                         BadField{"stop_tokens", [](auto& s) { s.stop_tokens = {-1}; }},        //
                                         BadField{"stop_tokens", [](auto& s) { s.stop_tokens.assign(1025, 1); }}));

}  // namespace
}  // namespace kylin
