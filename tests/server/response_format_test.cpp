#include "server/response_format.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace kylin::server {
namespace {

using grammar::Thoughts;

const std::shared_ptr<const grammar::MaskCache>& bytes() {
    static const auto masks = [] {
        std::vector<std::string> tokens;
        for (int b = 0; b < 255; ++b) tokens.emplace_back(1, static_cast<char>(b));
        return std::make_shared<const grammar::MaskCache>(grammar::TokenTrie(tokens, {}));
    }();
    return masks;
}

bool accepts(const char* format, const std::string& answer, Thoughts thoughts = Thoughts::none) {
    const auto constraint = constraint_for(read_response_format(parse_json(format), "response_format"), thoughts, bytes());
    if (!constraint) return true;
    grammar::Matcher matcher = constraint->start();
    return matcher.accept(answer) && matcher.may_end();
}

std::string refusal(const char* format) {
    try {
        accepts(format, "");
    } catch (const InputError& e) {
        return e.what();
    }
    return "accepted";
}

TEST(ResponseFormat, HasThreeKinds) {
    EXPECT_TRUE(accepts(R"({"type": "text"})", "anything"));
    EXPECT_TRUE(accepts(R"({"type": "json_object"})", R"({"a": [1]})"));
    EXPECT_FALSE(accepts(R"({"type": "json_object"})", "[1]"));
    const char* schema = R"({"type": "json_schema", "json_schema": {"name": "x", "strict": true, "description": "d",
                             "schema": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": false}}})";
    EXPECT_TRUE(accepts(schema, R"({"n": 1})"));
    EXPECT_FALSE(accepts(schema, R"({"m": 1})"));
}

// As llama.cpp's clients write it.
TEST(ResponseFormat, TakesASchemaBesideJsonObject) {
    EXPECT_TRUE(accepts(R"({"type": "json_object", "schema": {"const": "42"}})", R"("42")"));
    EXPECT_FALSE(accepts(R"({"type": "json_object", "schema": {"const": "42"}})", "{}"));
    EXPECT_TRUE(accepts(R"({"type": "json_object", "schema": null})", "{}"));
    EXPECT_EQ(refusal(R"({"type": "json_object", "schema": {"type": 123}})").substr(0, 22), "response_format.schema");
}

TEST(ResponseFormat, LeavesRoomForThoughts) {
    const char* format = R"({"type": "json_object"})";
    const std::string think = {grammar::marker_byte, '<', 't', 'h', 'i', 'n', 'k', '>'}, rest = "\nso {\n</think>\n\n{}";
    EXPECT_FALSE(accepts(format, think + rest));
    EXPECT_TRUE(accepts(format, think + rest, Thoughts::possible));
    EXPECT_FALSE(accepts(format, "<think>" + rest, Thoughts::possible));
    EXPECT_TRUE(accepts(format, "{}", Thoughts::possible));
    EXPECT_TRUE(accepts(format, "so </thin</think>{}", Thoughts::open));
    EXPECT_FALSE(accepts(format, "{}", Thoughts::open));
    EXPECT_FALSE(accepts(format, "so</think>{}</think>{}", Thoughts::open));
}

TEST(ResponseFormat, NamesTheFieldAtFault) {
    const std::pair<const char*, const char*> cases[] = {
        {"5", "response_format: must be an object, not 5"},
        {"{}", "response_format.type: is missing"},
        {R"({"type": "yaml"})", "response_format.type: \"yaml\" is none of text, json_object, json_schema"},
        {R"({"type": "json_schema"})", "response_format.json_schema: is missing"},
        {R"({"type": "json_schema", "json_schema": {"schema": {}}})", "response_format.json_schema.name: is missing"},
        {R"({"type": "json_schema", "json_schema": {"name": "a b", "schema": {}}})",
         "response_format.json_schema.name: must be 1 to 64 letters, digits, _ and -"},
        {R"({"type": "json_schema", "json_schema": {"name": "x"}})", "response_format.json_schema.schema: is missing"},
        {R"({"type": "json_schema", "json_schema": {"name": "x", "schema": {}, "strict": 1}})",
         "response_format.json_schema.strict: must be true or false, not 1"},
        {R"({"type": "json_schema", "json_schema": {"name": "x", "schema": {"properties": {"a": {"not": {}}}}}})",
         "response_format.json_schema.schema/properties/a/not: the keyword is not supported"},
    };
    for (const auto& [format, expected] : cases) EXPECT_EQ(refusal(format), expected) << format;
}

}  // namespace
}  // namespace kylin::server
