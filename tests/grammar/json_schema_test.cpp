// Whatever is generated satisfies the schema, and whatever satisfies it and is written as documented can be generated.
#include "grammar/json_schema.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/error.h"
#include "base/random.h"
#include "grammar/answers.h"
#include "random_schema.h"
#include "small_vocabulary.h"
#include "validator.h"
#include "walk.h"

namespace kylin::grammar {
namespace {

const SmallVocabulary& vocabulary() {
    static const SmallVocabulary v;
    return v;
}

Constraint constraint_for(const Json& schema) {
    return {compile(json_schema_answer(schema, "schema", Thoughts::none)), vocabulary().masks};
}

bool accepts(const Json& schema, std::string_view text) {
    Matcher matcher = constraint_for(schema).start();
    return matcher.accept(text) && matcher.may_end();
}
bool accepts(const char* schema, std::string_view text) { return accepts(Json::parse(schema), text); }

std::string refusal(const char* schema) {
    try {
        constraint_for(Json::parse(schema));
    } catch (const InputError& e) {
        return e.what();
    }
    return "accepted";
}

std::optional<Constraint> satisfiable(const Json& schema) {
    try {
        return std::optional<Constraint>(std::in_place, compile(json_schema_answer(schema, "schema", Thoughts::none)), vocabulary().masks);
    } catch (const InputError& e) {
        RC_ASSERT(std::string(e.what()).find("no value can satisfy it") != std::string::npos);
        return std::nullopt;
    }
}

RC_GTEST_PROP(JsonSchema, WhatIsGeneratedSatisfiesTheSchema, (uint64_t seed)) {
    Random random(seed);
    const RandomSchema schema(random);
    const auto constraint = satisfiable(schema.document());
    if (!constraint) RC_DISCARD("impossible");
    const Walk walk = random_walk(*constraint, vocabulary().masks->trie(), random);
    if (!walk.has_ended) RC_DISCARD("it did not come to an end");
    RC_LOG() << schema.document().dump() << "\n" << walk.text << "\n";
    const Json value = Json::parse(walk.text, nullptr, false);
    RC_ASSERT(!value.is_discarded());
    RC_ASSERT(Validator(schema.document())(value));
}

RC_GTEST_PROP(JsonSchema, WhatSatisfiesTheSchemaIsAccepted, (uint64_t seed)) {
    Random random(seed);
    RandomSchema schema(random);
    const auto constraint = satisfiable(schema.document());
    RC_ASSERT(constraint);
    for (int i = 0; i < 5; ++i) {
        const Json value = schema.instance();
        const std::string text = i % 2 == 0 ? value.dump() : value.dump(2);
        RC_LOG() << schema.document().dump() << "\n" << text << "\n";
        RC_ASSERT(Validator(schema.document())(value));
        RC_ASSERT(accepted_tokens(*constraint, vocabulary().masks->trie(), text, random));
    }
}

TEST(JsonSchema, WritesValuesAsDocumented) {
    for (const char* text : {"null", "true", "-0", "12", "0.5", "-1.25e-07", "1E+10", "\"\"", "\"\\u00e9\\ud83d\\ude00\\/\"", "[]", "[ ]",
                             "{}", "[1,2, 3]", "{\"a\": {\"b\":[]},\n  \"c\": \"\xF0\x9F\x98\x80\" }", "[\n\t1\n]"})
        EXPECT_TRUE(accepts("{}", text)) << text;
    for (const char* text : {"",
                             " 1",
                             "1 ",
                             "01",
                             "1.",
                             ".5",
                             "+1",
                             "1e",
                             "1e400",
                             "\"\n\"",
                             "\"\\x\"",
                             "\"\\ud83d\"",
                             "\"\\ude00\"",
                             "\"\\ud83dx\"",
                             "\"\xC3\"",
                             "\"\xED\xA0\x80\"",
                             "[1,]",
                             "[,1]",
                             "{\"a\"}",
                             "{\"a\" :1}",
                             "{\"a\":  1}",
                             "[1 ,2]",
                             "[1,\n\n2]",
                             "{1:2}",
                             "nul",
                             "NaN",
                             "1234567890123456789",
                             "'a'"})
        EXPECT_FALSE(accepts("{}", text)) << text;
}

TEST(JsonSchema, KeepsTheOrderOfProperties) {
    const char* schema =
        R"({"type": "object", "properties": {"b": {"type": "integer"}, "a": {"type": "integer"}, "c": {"type": "integer"}}, "required": ["a"]})";
    for (const char* text : {R"({"a":1})", R"({"b":1,"a":2})", R"({"b":1,"a":2,"c":3})", R"({"a":2,"c":3})"})
        EXPECT_TRUE(accepts(schema, text)) << text;
    for (const char* text :
         {"{}", R"({"a":1,"b":2})", R"({"b":1})", R"({"b":1,"c":2})", R"({"a":1,"a":1})", R"({"a":1,"d":1})", R"({"a":1,})", R"({,"a":1})"})
        EXPECT_FALSE(accepts(schema, text)) << text;
}

TEST(JsonSchema, ObjectsAreClosedByTheirPropertiesUnlessTheySayOtherwise) {
    EXPECT_TRUE(accepts(R"({"type": "object"})", R"({"x":1})"));
    EXPECT_FALSE(accepts(R"({"type": "object", "properties": {}})", R"({"x":1})"));
    EXPECT_TRUE(accepts(R"({"properties": {"a": {}}, "additionalProperties": true})", R"({"a":1,"x":1})"));
    EXPECT_TRUE(
        accepts(R"({"properties": {"a": {"type": "null"}}, "additionalProperties": {"type": "boolean"}})", R"({"b":true,"ab":false})"));
    // A name that is declared never comes as another member, however it is spelled.
    EXPECT_FALSE(
        accepts(R"({"properties": {"a": {"type": "null"}}, "additionalProperties": {"type": "boolean"}})", R"({"b":true,"a":false})"));
    EXPECT_FALSE(accepts(R"({"properties": {"a": {"type": "null"}}, "additionalProperties": {"type": "boolean"}})", R"({"\u0061":false})"));
    EXPECT_TRUE(accepts(R"({"type": "object", "required": ["x"]})", R"({"x":1,"y":2})"));
    EXPECT_FALSE(accepts(R"({"type": "object", "required": ["x"]})", R"({"y":2})"));
}

TEST(JsonSchema, CountsMembersOfMaps) {
    const char* schema = R"({"additionalProperties": {"type": "integer"}, "minProperties": 1, "maxProperties": 2})";
    EXPECT_FALSE(accepts(schema, "{}"));
    EXPECT_TRUE(accepts(schema, R"({"a":1})"));
    EXPECT_TRUE(accepts(schema, R"({"a":1,"b":2})"));
    EXPECT_FALSE(accepts(schema, R"({"a":1,"b":2,"c":3})"));
    EXPECT_FALSE(accepts(R"({"type": "object", "maxProperties": 0})", R"({"a":1})"));
    EXPECT_TRUE(accepts(R"({"type": "object", "maxProperties": 0})", "{}"));
}

TEST(JsonSchema, HonoursNames) {
    const char* by_pattern = R"({"type": "object", "propertyNames": {"pattern": "^[a-z]+$"}, "additionalProperties": {"type": "integer"}})";
    EXPECT_TRUE(accepts(by_pattern, R"({"abc":1})"));
    EXPECT_FALSE(accepts(by_pattern, R"({"aBc":1})"));
    const char* by_list = R"({"type": "object", "propertyNames": {"enum": ["x", "y"]}, "additionalProperties": {"type": "integer"}})";
    EXPECT_TRUE(accepts(by_list, R"({"x":1,"y":2})"));
    EXPECT_TRUE(accepts(by_list, R"({"y":2})"));
    EXPECT_FALSE(accepts(by_list, R"({"z":2})"));
}

TEST(JsonSchema, MergesWhatHoldsTogether) {
    const char* both =
        R"({"allOf": [{"properties": {"a": {"type": "integer"}}, "required": ["a"]}, {"properties": {"b": {"type": "string"}}}]})";
    EXPECT_TRUE(accepts(both, R"({"a":1,"b":"x"})"));
    EXPECT_FALSE(accepts(both, R"({"b":"x"})"));
    const char* shared = R"({"allOf": [{"properties": {"a": {"minimum": 5}}}, {"properties": {"a": {"type": "integer", "maximum": 6}}}]})";
    EXPECT_TRUE(accepts(shared, R"({"a":5})"));
    EXPECT_FALSE(accepts(shared, R"({"a":4})"));
    EXPECT_FALSE(accepts(shared, R"({"a":7})"));
    const char* closed = R"({"allOf": [{"properties": {"a": {}}, "additionalProperties": false}, {"properties": {"b": {}}}]})";
    EXPECT_TRUE(accepts(closed, R"({"a":1})"));
    EXPECT_FALSE(accepts(closed, R"({"a":1,"b":1})"));
    const char* strings = R"({"type": "string", "pattern": "^a", "allOf": [{"pattern": "z$"}, {"maxLength": 4}]})";
    EXPECT_TRUE(accepts(strings, R"("abcz")"));
    EXPECT_FALSE(accepts(strings, R"("abccz")"));
    EXPECT_FALSE(accepts(strings, R"("abc")"));
    const char* beside = R"({"type": "object", "properties": {"a": {}, "b": {}}, "anyOf": [{"required": ["a"]}, {"required": ["b"]}]})";
    EXPECT_TRUE(accepts(beside, R"({"a":1})"));
    EXPECT_TRUE(accepts(beside, R"({"b":1})"));
    EXPECT_FALSE(accepts(beside, "{}"));
    const char* reference = R"({"$ref": "#/$defs/s", "minLength": 2, "$defs": {"s": {"type": "string", "maxLength": 3}}})";
    EXPECT_TRUE(accepts(reference, R"("ab")"));
    EXPECT_FALSE(accepts(reference, R"("a")"));
    EXPECT_FALSE(accepts(reference, R"("abcd")"));
    const char* items =
        R"({"allOf": [{"items": {"minimum": 0}}, {"type": "array", "prefixItems": [{"type": "integer"}], "items": {"enum": [-1, 7]}}]})";
    EXPECT_TRUE(accepts(items, "[3,7]"));
    EXPECT_FALSE(accepts(items, "[3,-1]"));
    EXPECT_FALSE(accepts(items, "[-3]"));
}

TEST(JsonSchema, OneOfNeedsOptionsThatExcludeEachOther) {
    EXPECT_TRUE(accepts(R"({"oneOf": [{"type": "string"}, {"type": "null"}]})", "null"));
    EXPECT_TRUE(accepts(R"({"oneOf": [{"const": 1}, {"enum": [2, 3]}]})", "3"));
    const char* kinds = R"({"oneOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/b"}], "$defs": {
        "a": {"type": "object", "properties": {"kind": {"const": "a"}, "x": {}}, "required": ["kind", "x"]},
        "b": {"type": "object", "properties": {"kind": {"enum": ["b", "c"]}}, "required": ["kind"]}}})";
    EXPECT_TRUE(accepts(kinds, R"({"kind":"a","x":1})"));
    EXPECT_TRUE(accepts(kinds, R"({"kind":"c"})"));
    EXPECT_FALSE(accepts(kinds, R"({"kind":"a"})"));
    EXPECT_EQ(
        refusal(R"({"oneOf": [{"type": "integer"}, {"type": "string"}, {"type": "number"}]})"),
        "schema/oneOf: more than one of the options may hold for a value (0 and 2); use anyOf, or give them different types or constants");
    EXPECT_NE(refusal(R"({"oneOf": [{"properties": {"k": {"const": 1}}}, {"properties": {"k": {"const": 2}}}]})"),
              "accepted");  // k may be left out
    EXPECT_NE(refusal(R"({"oneOf": [{"const": {"a": 1, "b": 2}}, {"const": {"b": 2, "a": 1}}]})"), "accepted");
}

TEST(JsonSchema, ReadsOlderAndOpenApiForms) {
    EXPECT_TRUE(accepts(R"({"type": "string", "nullable": true})", "null"));
    EXPECT_TRUE(accepts(R"({"items": [{"type": "integer"}], "additionalItems": {"type": "string"}})", R"([1,"x"])"));
    EXPECT_FALSE(accepts(R"({"items": [{"type": "integer"}], "additionalItems": false})", R"([1,"x"])"));
    EXPECT_TRUE(accepts(R"({"definitions": {"x": {"type": "null"}}, "$ref": "#/definitions/x"})", "null"));
    EXPECT_TRUE(accepts(R"({"type": "integer", "format": "int32"})", "2147483647"));
    EXPECT_FALSE(accepts(R"({"type": "integer", "format": "int32"})", "2147483648"));
    EXPECT_TRUE(accepts(R"({"$schema": "x", "$id": "y", "title": "t", "default": 3, "x-made-up": {}, "type": "null"})", "null"));
    EXPECT_TRUE(accepts("true", "[1]"));
    EXPECT_TRUE(accepts(R"({"$ref": "#/$defs/a~1b%20c", "$defs": {"a/b c": {"const": 7}}})", "7"));
}

TEST(JsonSchema, ListsAreFilteredByTheOtherKeywords) {
    const char* schema = R"({"enum": ["a", "abc", 1, 2.5, null], "type": ["string", "number"], "minLength": 2, "minimum": 2})";
    EXPECT_TRUE(accepts(schema, R"("abc")"));
    EXPECT_TRUE(accepts(schema, "2.5"));
    for (const char* text : {R"("a")", "1", "null"}) EXPECT_FALSE(accepts(schema, text)) << text;
    EXPECT_TRUE(accepts(R"({"allOf": [{"enum": [1, 2]}, {"const": 2.0}]})", "2.0"));
    EXPECT_FALSE(accepts(R"({"allOf": [{"enum": [1, 2]}, {"const": 2.0}]})", "1"));
}

TEST(JsonSchema, NamesWhatItRefuses) {
    const std::pair<const char*, const char*> cases[] = {
        {R"({"properties": {"n": {"multipleOf": 3}}})", "schema/properties/n/multipleOf: the keyword is not supported"},
        {R"({"not": {"type": "null"}})", "schema/not: the keyword is not supported"},
        {R"({"if": {}, "then": {}})", "schema/if: the keyword is not supported"},
        {R"({"items": {"uniqueItems": true}})", "schema/items/uniqueItems: the keyword is not supported"},
        {R"({"unevaluatedProperties": false})", "schema/unevaluatedProperties: the keyword is not supported"},
        {R"({"patternProperties": {"^x": {}}})", "schema/patternProperties: the keyword is not supported"},
        {R"({"contains": {}})", "schema/contains: the keyword is not supported"},
        {R"({"maxLenght": 3})", "schema/maxLenght: the keyword is unknown, so it cannot be honoured"},
        {R"({"$ref": "https://example.org/s.json"})", "schema/$ref: \"https://example.org/s.json\" lies outside of this schema"},
        {R"({"$ref": "#/$defs/missing"})", "schema/$ref: \"#/$defs/missing\" does not exist"},
        {R"({"$ref": "#name"})", "schema/$ref: \"#name\" is no JSON pointer; names are not supported"},
        {R"({"$ref": "#"})", "schema: is defined by itself, without a value in between"},
        {R"({"anyOf": [{"$ref": "#"}, {"type": "null"}]})", "schema: is defined by itself, without a value in between"},
        {R"({"properties": {"a": {"$id": "x"}}})", "schema/properties/a: has an $id, which is supported at the top alone"},
        {R"({"type": "string", "format": "regex"})",
         "schema/format: the format \"regex\" is not supported; supported: date, date-time, duration, email, hostname, ipv4, ipv6, time, "
         "uri, uuid"},
        {R"({"type": "string", "pattern": "(a)\\1"})", "schema/pattern: the pattern has the escape \\1, which is not supported"},
        {R"({"type": "text"})", "schema/type: \"text\" is no type"},
        {R"({"type": []})", "schema/type: must be an array that is not empty"},
        {R"({"type": 3})", "schema/type: must be a string"},
        {R"({"required": "a"})", "schema/required: must be an array"},
        {R"({"required": [1]})", "schema/required/0: must be a string"},
        {R"({"properties": []})", "schema/properties: must be an object"},
        {R"({"properties": {"a/b": 3}})", "schema/properties/a~1b: must be a schema: an object, or true or false"},
        {R"({"minLength": -1})", "schema/minLength: must be an integer that is not negative"},
        {R"({"minItems": 1.5})", "schema/minItems: must be an integer that is not negative"},
        {R"({"minLength": 1e18})", "schema/minLength: is larger than any answer"},
        {R"({"minimum": "1"})", "schema/minimum: must be a number"},
        {R"({"exclusiveMinimum": true, "minimum": 1})", "schema/exclusiveMinimum: must be a number"},
        {R"({"type": "string", "nullable": 1})", "schema/nullable: must be true or false"},
        {R"({"prefixItems": [{}], "items": [{}]})", "schema/items: must be a schema"},
        {R"({"propertyNames": {"anyOf": [{"pattern": "^a"}, {"maxLength": 3}]}})",
         "schema/propertyNames: anyOf and oneOf are not supported for names"},
        {R"({"anyOf": []})", "schema/anyOf: must be an array that is not empty"},
        {R"({"enum": []})", "schema/enum: must be an array that is not empty"},
        {R"({"enum": [{"a": 1}], "required": ["a"]})",
         "schema: lists whole arrays or objects and says more about them, which is not supported"},
        {R"({"properties": {"a": {}}, "minProperties": 1})",
         "schema: minProperties is supported up to the number of required properties, or 1 where none is declared"},
        {R"({"properties": {"a": {}, "b": {}}, "maxProperties": 1})", "schema: maxProperties is not supported beside declared properties"},
        {R"({"type": "number", "exclusiveMinimum": 0.1234567890123456})",
         "schema/exclusiveMinimum: has more digits than numbers can be told apart by"},
        {"3", "schema: must be a schema: an object, or true or false"},
        {"false", "schema: no value can satisfy it"},
        {R"({"allOf": [{"type": "null"}, {"type": "string"}]})", "schema: no value can satisfy it"},
        {R"({"type": "integer", "minimum": 3, "exclusiveMaximum": 3})", "schema: no value can satisfy it"},
        {R"({"type": "string", "pattern": "^a", "allOf": [{"pattern": "^b"}]})", "schema: no value can satisfy it"},
        {R"({"properties": {"a": false}, "required": ["a"]})", "schema: no value can satisfy it"},
        {R"({"properties": {"a": {"$ref": "#"}}, "required": ["a"]})", "schema: no value can satisfy it"},
        {R"({"minItems": 2, "maxItems": 1})", "schema: no value can satisfy it"},
    };
    for (const auto& [schema, expected] : cases) EXPECT_EQ(refusal(schema), expected) << schema;
}

TEST(JsonSchema, FormatsAreExact) {
    const auto check = [](const char* format, const std::vector<const char*>& good, const std::vector<const char*>& bad) {
        const Json schema = {{"type", "string"}, {"format", format}};
        for (const char* text : good) EXPECT_TRUE(accepts(schema, Json(text).dump())) << format << " " << text;
        for (const char* text : bad) EXPECT_FALSE(accepts(schema, Json(text).dump())) << format << " " << text;
    };
    check("date", {"2024-02-29", "2000-02-29", "1999-12-31", "2023-04-30"},
          {"2023-02-29", "1900-02-29", "2023-04-31", "2023-13-01", "2023-00-10", "2023-1-1", "2024-02-30"});
    check("time", {"23:59:59Z", "00:00:00.123+05:30"}, {"24:00:00Z", "12:60:00Z", "12:00:00", "12:00Z"});
    check("date-time", {"2024-02-29T12:00:00Z"}, {"2023-02-29T12:00:00Z", "2024-02-29 12:00:00Z", "2024-02-29"});
    check("duration", {"P1Y2M3DT4H5M6S", "PT1H", "P3W", "P1D"}, {"P", "PT", "1D", "P1YT", "P1Y2D", "PT1H2S"});
    check("uuid", {"123e4567-e89b-12d3-A456-426614174000"}, {"123e4567e89b12d3a456426614174000", "g23e4567-e89b-12d3-a456-426614174000"});
    check("ipv4", {"0.0.0.0", "255.249.199.99"}, {"256.1.1.1", "1.1.1", "01.1.1.1", "1.1.1.1.1"});
    check("ipv6", {"::", "::1", "1::", "2001:db8::8a2e:370:7334", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::"},
          {":", ":::", "1:2:3:4:5:6:7", "1::2::3", "1:2:3:4:5:6:7:8:9", "12345::"});
    check("hostname", {"example.org", "a-b"}, {"-a", "a-", "a..b", "a_b", ""});
    check("email", {"ada@example.org", "a.b+c@x-y.co.uk"}, {"ada", "@x.org", "a..b@x.org", "a@x", "a@-x.org", "a b@x.org"});
    check("uri", {"https://example.org/a?b=c#d", "mailto:a@b.c", "urn:isbn:1"}, {"example.org", "http://", "http:// x", "://x", "a:b%zz"});
}

TEST(JsonSchema, BoundsOfNumbersAreExact) {
    const auto random_bound = [](Random& random) -> Json {
        const int k = static_cast<int>(random.below(4001)) - 2000;
        switch (random.below(4)) {
            case 0:
                return k;
            case 1:
                return k / 8.0;
            case 2:
                return k / 100.0;
            default:
                return k / 10;
        }
    };
    Random random(7);
    for (int i = 0; i < 150; ++i) {
        const bool is_integer = random.below(3) == 0;
        Json schema = {{"type", is_integer ? "integer" : "number"}};
        if (random.below(4) > 0) schema[random.below(2) == 0 ? "minimum" : "exclusiveMinimum"] = random_bound(random);
        if (random.below(4) > 0) schema[random.below(2) == 0 ? "maximum" : "exclusiveMaximum"] = random_bound(random);
        if (schema.size() == 1) continue;
        std::optional<Constraint> constraint;
        try {
            constraint.emplace(constraint_for(schema));
        } catch (const InputError&) {
        }
        const Validator valid(schema);
        for (int n = 0; n < 60; ++n) {
            // Near the bounds more often than not.
            Json bound = 0;
            for (const auto& member : schema.items())
                if (member.value().is_number() && random.below(2) == 0) bound = member.value();
            const double offset = static_cast<double>(static_cast<int>(random.below(9)) - 4) / (random.below(2) == 0 ? 1 : 100);
            const double x = std::round((bound.get<double>() + offset) * 1000) / 1000;
            const Json value = is_integer || x == std::floor(x) ? Json(static_cast<int64_t>(std::floor(x))) : Json(x);
            Matcher matcher = constraint ? constraint->start() : constraint_for(Json::parse("{\"const\": \"none\"}")).start();
            EXPECT_EQ(matcher.accept(value.dump()) && matcher.may_end(), valid(value)) << schema << " " << value;
        }
    }
}

TEST(JsonSchema, BoundsReachToTheLastDigit) {
    EXPECT_FALSE(accepts(R"({"type": "number", "exclusiveMaximum": 1})", "0.99999999999999999999"));
    EXPECT_TRUE(accepts(R"({"type": "number", "exclusiveMaximum": 1})", "0.99999999"));
    EXPECT_TRUE(accepts(R"({"type": "number", "minimum": 0.1})", "0.1"));
    EXPECT_TRUE(accepts(R"({"type": "number", "minimum": 0.1})", "0.100"));
    EXPECT_FALSE(accepts(R"({"type": "number", "exclusiveMinimum": 0.1})", "0.100"));
    EXPECT_TRUE(accepts(R"({"type": "integer", "minimum": -9007199254740991, "maximum": 9007199254740991})", "-999999999999999"));
    EXPECT_EQ(refusal(R"({"type": "integer", "minimum": 1e20})"), "schema: no value can satisfy it");
}

}  // namespace
}  // namespace kylin::grammar
