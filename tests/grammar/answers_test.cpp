#include "grammar/answers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/random.h"
#include "small_vocabulary.h"
#include "walk.h"

namespace kylin::grammar {
namespace {

const SmallVocabulary& vocabulary() {
    static const SmallVocabulary v;
    return v;
}

const Json weather = Json::parse(
    R"({"type": "object", "properties": {"city": {"type": "string", "maxLength": 20}, "days": {"type": "integer", "minimum": 1, "maximum": 9}}, "required": ["city"]})");
const std::vector<Tool> tools = {{"get_weather", &weather, "tools[0].function.parameters"},
                                 {"get_time", nullptr, "tools[1].function.parameters"}};

bool reads(Grammar grammar, std::string_view text) {
    Matcher matcher(std::make_shared<const Program>(compile(std::move(grammar))));
    return matcher.accept(text) && matcher.may_end();
}

std::string call(const std::string& name, const std::string& arguments) {
    return "<tool_call>\n{\"name\": \"" + name + "\", \"arguments\": " + arguments + "}\n</tool_call>";
}

TEST(ToolCalls, AreAChoiceOfTools) {
    const auto allows = [](const std::string& text) { return reads(tool_calls_answer(tools, 2, Thoughts::none), text); };
    EXPECT_TRUE(allows(call("get_time", "{}")));
    EXPECT_TRUE(allows(call("get_weather", R"({"city": "Oslo"})")));
    EXPECT_TRUE(allows(call("get_weather", R"({"city": "Oslo", "days": 3})") + "\n" + call("get_time", "{}")));
    EXPECT_FALSE(allows(""));
    EXPECT_FALSE(allows("I call " + call("get_time", "{}")));
    EXPECT_FALSE(allows(call("get_money", "{}")));
    EXPECT_FALSE(allows(call("get_time", R"({"zone": 1})")));
    EXPECT_FALSE(allows(call("get_weather", "{}")));
    EXPECT_FALSE(allows(call("get_weather", R"({"city": "Oslo", "days": 10})")));
    EXPECT_FALSE(allows(call("get_time", "{}") + "\n" + call("get_time", "{}") + "\n" + call("get_time", "{}")));
    EXPECT_FALSE(reads(tool_calls_answer(std::span(tools).first(1), 1, Thoughts::none), call("get_time", "{}")));
}

TEST(ToolCalls, ArgumentsAreObjects) {
    const Json anything = Json::object(), text = {{"type", "string"}};
    const std::vector<Tool> loose = {{"f", &anything, "p"}}, wrong = {{"f", &text, "tools[0].function.parameters"}};
    EXPECT_TRUE(reads(tool_calls_answer(loose, 1, Thoughts::none), call("f", R"({"x": [1]})")));
    EXPECT_FALSE(reads(tool_calls_answer(loose, 1, Thoughts::none), call("f", "3")));
    EXPECT_THROW(compile(tool_calls_answer(wrong, 1, Thoughts::none)), InputError);
    EXPECT_THROW(tool_calls_answer({}, 1, Thoughts::none), InputError);
}

TEST(ToolCalls, MayFollowAnyText) {
    const auto allows = [](const std::string& text) { return reads(text_or_tool_calls_answer(tools, 2, Thoughts::none), text); };
    EXPECT_TRUE(allows(""));
    EXPECT_TRUE(allows("It is <tool_cal or <<tool_call, \xE2\x82\xAC."));
    EXPECT_TRUE(allows(call("get_time", "{}")));
    EXPECT_TRUE(allows("I ask <" + call("get_weather", R"({"city": "Oslo"})") + "\n" + call("get_time", "{}")));
    EXPECT_FALSE(allows("<tool_call>"));
    EXPECT_FALSE(allows("so <tool_call> or not"));
    EXPECT_FALSE(allows(call("get_money", "{}")));
    EXPECT_FALSE(allows(call("get_time", "{}") + " then"));
    EXPECT_FALSE(allows(call("get_time", "{}") + "\n" + call("get_time", "{}") + "\n" + call("get_time", "{}")));
    EXPECT_FALSE(allows("so " + call("get_weather", "{}")));
}

TEST(ToolCalls, NamesTheToolAtFault) {
    const Json bad = Json::parse(R"({"properties": {"x": {"not": {}}}})");
    const std::vector<Tool> all = {{"f", &weather, "tools[0].function.parameters"}, {"g", &bad, "tools[1].function.parameters"}};
    try {
        tool_calls_answer(all, 1, Thoughts::none);
        FAIL();
    } catch (const InputError& e) {
        EXPECT_EQ(e.where(), "tools[1].function.parameters/properties/x/not");
    }
}

TEST(ToolCalls, TagsAreTheModelsOwnTokens) {
    const Constraint constraint(compile(tool_calls_answer(tools, 1, Thoughts::none)), vocabulary().masks);
    Matcher matcher = constraint.start();
    EXPECT_TRUE(constraint.mask(matcher).allows(static_cast<size_t>(vocabulary().tool_call)));
    EXPECT_FALSE(constraint.mask(matcher).allows(static_cast<size_t>(vocabulary().think)));
    ASSERT_TRUE(constraint.accept(matcher, vocabulary().tool_call));
    // Inside a string the same words are text, and their token is not allowed.
    ASSERT_TRUE(matcher.accept("\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"</tool_call>"));
    EXPECT_FALSE(constraint.mask(matcher).allows(static_cast<size_t>(vocabulary().tool_call)));
}

TEST(ToolCalls, RandomCallsParse) {
    const Constraint constraint(compile(tool_calls_answer(tools, 3, Thoughts::none)), vocabulary().masks);
    int n_ended = 0;
    for (uint64_t seed = 0; seed < 50; ++seed) {
        Random random(seed);
        Walk walk = random_walk(constraint, vocabulary().masks->trie(), random);
        if (!walk.has_ended) continue;
        ++n_ended;
        std::erase(walk.text, marker_byte);
        const std::string_view open = "<tool_call>\n", close = "\n</tool_call>";
        for (size_t at = 0; at < walk.text.size();) {
            ASSERT_EQ(walk.text.substr(at, open.size()), open);
            const size_t end = walk.text.find(close, at);
            ASSERT_NE(end, walk.text.npos);
            const Json json = Json::parse(walk.text.substr(at + open.size(), end - at - open.size()));
            EXPECT_TRUE(json["name"] == "get_time" || json["arguments"]["city"].is_string());
            at = end + close.size() + 1;
        }
    }
    EXPECT_GT(n_ended, 30);
}

TEST(Thoughts, ComeFirstAndEndAtTheirTag) {
    const auto allows = [](Thoughts thoughts, const std::string& text) { return reads(json_object_answer(thoughts), text); };
    const std::string token(1, marker_byte);
    EXPECT_TRUE(allows(Thoughts::possible, "{}"));
    EXPECT_TRUE(allows(Thoughts::possible, token + "<think>so\n" + token + "</think>\n\n{}"));
    EXPECT_TRUE(allows(Thoughts::possible, token + "<think>so\n</think>{}"));
    EXPECT_FALSE(allows(Thoughts::possible, "<think>so\n</think>{}"));
    EXPECT_FALSE(allows(Thoughts::possible, "so </think>{}"));
    EXPECT_FALSE(allows(Thoughts::none, token + "<think></think>{}"));
    EXPECT_TRUE(allows(Thoughts::open, "so </</think <think>\xE2\x82\xAC</think>{}"));
    EXPECT_FALSE(allows(Thoughts::open, "{}"));
    EXPECT_FALSE(allows(Thoughts::open, "so</think>\n\n\n{}"));
    EXPECT_FALSE(allows(Thoughts::open, "so</think>so</think>{}"));
    EXPECT_FALSE(allows(Thoughts::open, "so</think>" + token + "<think>{}"));
}

}  // namespace
}  // namespace kylin::grammar
