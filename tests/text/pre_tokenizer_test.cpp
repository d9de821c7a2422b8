// Each alternative of the qwen2 expression, and that the pieces are the text.
#include "text/pre_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <string>
#include <vector>

#include "text/unicode.h"

namespace kylin {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> split(std::string_view text) {
    std::vector<std::string> pieces;
    while (!text.empty()) {
        pieces.emplace_back(next_qwen2_piece(text));
        text.remove_prefix(pieces.back().size());
    }
    return pieces;
}

TEST(Qwen2Pieces, WordsTakeOneLeadingSignOrSpace) {
    EXPECT_THAT(split("Hello world"), ElementsAre("Hello", " world"));
    EXPECT_THAT(split("_foo(bar)"), ElementsAre("_foo", "(bar", ")"));
    EXPECT_THAT(split("\tx\u3000y"), ElementsAre("\tx", "\u3000y"));
    EXPECT_THAT(split("你好，世界"), ElementsAre("你好", "，世界"));
    EXPECT_THAT(split("  two"), ElementsAre(" ", " two"));
    EXPECT_THAT(split("\nword"), ElementsAre("\n", "word"));
}

TEST(Qwen2Pieces, ContractionsOfEitherCase) {
    EXPECT_THAT(split("I'm don't we'Ve THEY'LL"), ElementsAre("I", "'m", " don", "'t", " we", "'Ve", " THEY", "'LL"));
    EXPECT_THAT(split("'re'd's"), ElementsAre("'re", "'d", "'s"));
    EXPECT_THAT(split("'sound"), ElementsAre("'s", "ound"));
    EXPECT_THAT(split("'x 'l"), ElementsAre("'x", " '", "l"));
    EXPECT_THAT(split("'\u017F"), ElementsAre("'\u017F"));  // a long s is no s here
}

TEST(Qwen2Pieces, DigitsStandAlone) {
    EXPECT_THAT(split("123 4"), ElementsAre("1", "2", "3", " ", "4"));
    EXPECT_THAT(split("½Ⅷ"), ElementsAre("½", "Ⅷ"));
}

TEST(Qwen2Pieces, SignsTakeASpaceBeforeAndLineEndsAfter) {
    EXPECT_THAT(split(" ...\r\n\nx"), ElementsAre(" ...\r\n\n", "x"));
    EXPECT_THAT(split("a !!\n  b"), ElementsAre("a", " !!\n", " ", " b"));
    EXPECT_THAT(split("😀\u0301!"), ElementsAre("😀\u0301!"));
}

TEST(Qwen2Pieces, SpacesGoUpToTheLastLineEndOrLeaveOneForTheWord) {
    EXPECT_THAT(split(" \n \n  x"), ElementsAre(" \n \n", " ", " x"));
    EXPECT_THAT(split("   "), ElementsAre("   "));
    EXPECT_THAT(split("a   "), ElementsAre("a", "   "));
    EXPECT_THAT(split("   7"), ElementsAre("  ", " ", "7"));
    EXPECT_THAT(split("\r\n\r\n"), ElementsAre("\r\n\r\n"));
    EXPECT_THAT(split("\u2028\u2028"), ElementsAre("\u2028\u2028"));
}

TEST(Qwen2Pieces, LoseNothingAndAlwaysAdvance) {
    EXPECT_TRUE(rc::check([](const std::string& bytes) {
        const std::string text = to_valid_utf8(bytes);
        std::string joined;
        for (const std::string& piece : split(text)) {
            RC_ASSERT(!piece.empty());
            joined += piece;
        }
        RC_ASSERT(joined == text);
    }));
}

}  // namespace
}  // namespace kylin
