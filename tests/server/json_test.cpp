#include "server/json.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace kylin::server {
namespace {

TEST(ParseJson, ReadsADocument) { EXPECT_EQ(dump(parse_json(R"( {"b": [1, null], "a": "é"} )")), R"({"b":[1,null],"a":"é"})"); }

TEST(ParseJson, RefusesEverythingElse) {
    for (const std::string text : {"",
                                   " ",
                                   "{",
                                   "{}x",
                                   "{} {}",
                                   "{'a': 1}",
                                   "{\"a\": NaN}",
                                   "{\"a\": Infinity}",
                                   "{\"a\": 1e400}",
                                   "{\"a\": -1e999}",
                                   R"({"a": "\ud800"})",
                                   "{\"a\": \"\xff\"}",
                                   "{\"a\": \"\xed\xa0\x80\"}",
                                   "{\"a\": 01}",
                                   "{\"a\": 1,}",
                                   "{\"a\": \"\n\"}",
                                   R"({"a": 1, "a": 2})",
                                   R"({"x": {"a": 1, "b": [], "a": 1}})",
                                   "// comment\n{}",
                                   "\xef\xbb\xbf"})
        EXPECT_THROW(parse_json(text), InputError) << text;
}

std::string error_of(const std::string& text) {
    try {
        parse_json(text);
    } catch (const InputError& e) {
        return e.what();
    }
    return "no error";
}

TEST(ParseJson, SaysThatABodyIsEmpty) {
    for (const char* text : {"", " \t\r\n"}) EXPECT_EQ(error_of(text), "body: it is empty; a JSON object is expected");
}

// Found by fuzzing: the error named no place.
TEST(ParseJson, ANameWithoutLettersTwiceIsAnErrorOfTheBody) { EXPECT_EQ(error_of(R"({"": 1, "": 2})"), "body: given twice"); }

TEST(ParseJson, BoundsDepthAndMembers) {
    EXPECT_NO_THROW(parse_json(std::string(60, '[') + std::string(60, ']')));
    EXPECT_THROW(parse_json(std::string(100000, '[')), InputError);
    EXPECT_THROW(parse_json(std::string(100, '[') + std::string(100, ']')), InputError);
    const auto object = [](int n_members) {
        std::string text = "{";
        for (int i = 0; i < n_members; ++i) text += (i ? ",\"" : "\"") + std::to_string(i) + "\":0";
        return text + "}";
    };
    const auto list = [&](int n_objects) {
        std::string text = "[" + object(1000);
        for (int i = 1; i < n_objects; ++i) text += "," + object(1000);
        return text + "]";
    };
    EXPECT_NO_THROW(parse_json(object(1100)));
    EXPECT_EQ(error_of(object(1101)), "body: too many members");
    EXPECT_NO_THROW(parse_json(list(20)));
    EXPECT_EQ(error_of(list(21)), "body: too many members");
}

TEST(Dump, NeverThrows) { EXPECT_EQ(dump({{"a", "\xff"}}), "{\"a\":\"\xef\xbf\xbd\"}"); }

}  // namespace
}  // namespace kylin::server
