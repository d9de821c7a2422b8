// Schemas that want to be expensive: each is refused, or compiles within the budget and can be followed.
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/random.h"
#include "grammar/answers.h"
#include "small_vocabulary.h"
#include "walk.h"

namespace kylin::grammar {
namespace {

const SmallVocabulary& vocabulary() {
    static const SmallVocabulary v;
    return v;
}

std::string outcome(const Json& schema) {
    try {
        const Constraint constraint(compile(json_schema_answer(schema, "schema", Thoughts::none)), vocabulary().masks);
        Random random(1);
        random_walk(constraint, vocabulary().masks->trie(), random, 30, 200);
    } catch (const InputError& e) {
        return e.what();
    }
    return "accepted";
}
std::string outcome_of(const std::string& schema) { return outcome(Json::parse(schema)); }

bool mentions(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

std::string repeated(const std::string& text, int n) {
    std::string all;
    for (int i = 0; i < n; ++i) all += text;
    return all;
}

TEST(Hostile, DeepSchemasCompileOrAreRefused) {
    EXPECT_EQ(outcome_of(repeated(R"({"type":"array","items":)", 100) + "{}" + repeated("}", 100)), "accepted");
    EXPECT_EQ(outcome_of(repeated(R"({"type":"array","items":)", 5000) + "{}" + repeated("}", 5000)),
              "schema" + repeated("/items", 4095) + ": needs more than 4096 rules");
    // Each level is required, so the shortest value nests too deep.
    EXPECT_EQ(outcome_of(repeated(R"({"type":"object","required":["a"],"properties":{"a":)", 300) + "{}" + repeated("}}", 300)),
              "schema: every value that satisfies it nests too deep");
    EXPECT_TRUE(mentions(outcome_of(repeated(R"({"allOf":[)", 100) + "{}" + repeated("]}", 100)), "too many references"));
    EXPECT_TRUE(mentions(outcome_of(repeated(R"({"anyOf":[)", 100) + "{}" + repeated("]}", 100)), "too many references"));
}

TEST(Hostile, LongChainsOfReferences) {
    Json schema = {{"$ref", "#/$defs/d0"}, {"$defs", Json::object()}};
    for (int i = 0; i < 2000; ++i) schema["$defs"]["d" + std::to_string(i)] = {{"$ref", "#/$defs/d" + std::to_string(i + 1)}};
    schema["$defs"]["d2000"] = {{"type", "null"}};
    EXPECT_TRUE(mentions(outcome(schema), "too many references"));
}

TEST(Hostile, ProductsOfChoices) {
    // 4^20 combinations.
    Json all = Json::array();
    for (int i = 0; i < 20; ++i) {
        Json options = Json::array();
        for (int j = 0; j < 4; ++j) options.push_back({{"properties", {{"p" + std::to_string(4 * i + j), Json::object()}}}});
        all.push_back({{"anyOf", options}});
    }
    EXPECT_TRUE(mentions(outcome({{"type", "object"}, {"allOf", all}}), "needs more than") ||
                mentions(outcome({{"type", "object"}, {"allOf", all}}), "steps to compile"));
}

TEST(Hostile, RecursionThatGrowsWithEveryRound) {
    // Merging a node with itself through other names asks for ever larger conjunctions; there are 2^n of them.
    Json defs = Json::object();
    for (int i = 0; i < 14; ++i) {
        Json parts = Json::array();
        for (int j = 0; j < 14; ++j)
            if ((i * 7 + j * 3) % 5 != 0) parts.push_back({{"$ref", "#/$defs/n" + std::to_string(j)}});
        defs["n" + std::to_string(i)] = {
            {"type", "object"},
            {"properties",
             {{"x", {{"anyOf", {{{"allOf", parts}}, {{"$ref", "#/$defs/n" + std::to_string((i + 1) % 14)}}, {{"type", "null"}}}}}}}}};
    }
    const std::string result = outcome({{"$ref", "#/$defs/n0"}, {"$defs", defs}});
    EXPECT_TRUE(result == "accepted" || mentions(result, "more than")) << result;
}

TEST(Hostile, AmbiguousRecursionIsFollowed) {
    const std::string two = R"({"$defs": {"n": {"anyOf": [
        {"type": "object", "properties": {"c": {"$ref": "#/$defs/n"}, "a": {}}, "required": ["c"]},
        {"type": "object", "properties": {"c": {"$ref": "#/$defs/n"}, "b": {}}, "required": ["c"]}, {"type": "null"}]}}, "$ref": "#/$defs/n"})";
    const Constraint constraint(compile(json_schema_answer(Json::parse(two), "schema", Thoughts::none)), vocabulary().masks);
    Matcher matcher = constraint.start();
    for (int i = 0; i < 40; ++i) ASSERT_TRUE(matcher.accept("{\"c\":"));
    EXPECT_LT(matcher.readings().items.size(), 50u);
    EXPECT_TRUE(constraint.mask(matcher).allows('n'));
}

TEST(Hostile, ManyOptionsOfObjects) {
    const auto options = [](int n) {
        Json all = Json::array();
        for (int i = 0; i < n; ++i)
            all.push_back({{"type", "object"},
                           {"properties", {{"a" + std::to_string(i), {{"type", "integer"}}}}},
                           {"required", {"a" + std::to_string(i)}}});
        return Json{{"anyOf", all}};
    };
    EXPECT_EQ(outcome(options(300)), "accepted");
    EXPECT_EQ(outcome(options(1000)), "grammar: the text can be read in more than 512 ways");
}

TEST(Hostile, LargeObjectsAndLists) {
    Json properties = Json::object(), values = Json::array();
    for (int i = 0; i < 200; ++i) properties["property_" + std::to_string(i)] = {{"type", "integer"}};
    EXPECT_EQ(outcome({{"type", "object"}, {"properties", properties}}), "accepted");
    Json required = Json::array();
    for (int i = 0; i < 3000; ++i) {
        required.push_back("property_" + std::to_string(i));
        properties[required.back()] = {{"type", "integer"}};
    }
    EXPECT_TRUE(mentions(outcome({{"type", "object"}, {"properties", properties}}), "steps to compile"));  // any may be left out
    EXPECT_EQ(outcome({{"type", "object"}, {"properties", properties}, {"required", required}}), "accepted");
    for (int i = 0; i < 5000; ++i) values.push_back("value number " + std::to_string(i));
    EXPECT_EQ(outcome({{"enum", values}}), "accepted");
    for (int i = 0; i < 200000; ++i) values.push_back(i);
    EXPECT_TRUE(mentions(outcome({{"enum", values}}), "more than"));
    Json twice = {{"allOf", {{{"enum", values}}, {{"enum", values}}}}};
    EXPECT_TRUE(mentions(outcome(twice), "more than"));
}

TEST(Hostile, HugeBounds) {
    EXPECT_EQ(outcome_of(R"({"type":"string","maxLength":1000000000})"), "accepted");
    EXPECT_EQ(outcome_of(R"({"type":"string","minLength":1000000000})"), "accepted");
    EXPECT_EQ(outcome_of(R"({"type":"array","minItems":1000000,"maxItems":1000000000,"items":{"type":"null"}})"), "accepted");
    EXPECT_TRUE(mentions(outcome_of(R"({"type":"string","pattern":"^[a-z]*$","maxLength":1000000})"), "needs more than"));
    EXPECT_TRUE(mentions(outcome_of(R"({"type":"string","pattern":"^(a{1,1000}){1,1000}$"})"), "more than"));
    EXPECT_TRUE(mentions(outcome_of(R"({"type":"string","pattern":"(.*a){30}.{20}b"})"), "more than"));
    EXPECT_EQ(outcome_of(R"({"type":"string","pattern":"^(([a-z])+.)+[A-Z]([a-z])+$"})"), "accepted");
    EXPECT_EQ(outcome_of(R"({"type":"integer","minimum":-1e308,"maximum":1e308})"), "accepted");
    EXPECT_EQ(outcome_of(R"({"type":"number","minimum":5e-324})"), "schema/minimum: has more digits than numbers can be told apart by");
}

TEST(Hostile, ManyPatterns) {
    Json properties = Json::object();
    for (int i = 0; i < 400; ++i)
        properties["p" + std::to_string(i)] = {{"type", "string"}, {"pattern", "^(?:[a-z]{1,40}-){3}" + std::to_string(i) + "$"}};
    const std::string result = outcome({{"type", "object"}, {"properties", properties}});
    EXPECT_TRUE(result == "accepted" || mentions(result, "more than")) << result;
}

}  // namespace
}  // namespace kylin::grammar
