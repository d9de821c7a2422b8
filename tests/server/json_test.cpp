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

// Found by fuzzing: the error named no place.
TEST(ParseJson, ANameWithoutLettersTwiceIsAnErrorOfTheBody) {
    try {
        parse_json(R"({"": 1, "": 2})");
        FAIL();
    } catch (const InputError& e) {
        EXPECT_EQ(e.where(), "body");
    }
}

TEST(ParseJson, BoundsDepthAndMembers) {
    EXPECT_NO_THROW(parse_json(std::string(60, '[') + std::string(60, ']')));
    EXPECT_THROW(parse_json(std::string(100000, '[')), InputError);
    EXPECT_THROW(parse_json(std::string(100, '[') + std::string(100, ']')), InputError);
    std::string members = "{";
    for (int i = 0; i < 1000000; ++i) members += "\"" + std::to_string(i) + "\":0,";
    EXPECT_THROW(parse_json(members), InputError);
}

TEST(Dump, NeverThrows) { EXPECT_EQ(dump({{"a", "\xff"}}), "{\"a\":\"\xef\xbf\xbd\"}"); }

}  // namespace
}  // namespace kylin::server
