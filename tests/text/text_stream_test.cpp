// Whatever the pieces, the stream is whole characters and nothing is lost.
#include "text/text_stream.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "base/utf8.h"
#include "text/unicode.h"

namespace kylin {
namespace {

TEST(TextStream, WaitsForTheRestOfACharacter) {
    TextStream stream;
    EXPECT_EQ(stream.push("a\xF0\x9F"), "a");
    EXPECT_EQ(stream.push("\x98"), "");
    EXPECT_EQ(stream.push("\x80!"), "😀!");
    EXPECT_EQ(stream.flush(), "");
}

TEST(TextStream, ReplacesAsSoonAsNothingCanRepair) {
    TextStream stream;
    EXPECT_EQ(stream.push("\xE4\xBD"), "");
    EXPECT_EQ(stream.push("x"), "\uFFFDx");
    EXPECT_EQ(stream.push("\xFF"), "\uFFFD");
    EXPECT_EQ(stream.push("\xF4\x90"), "\uFFFD\uFFFD");  // beyond U+10FFFF
}

TEST(TextStream, FlushReplacesAnUnfinishedCharacterOnce) {
    TextStream stream;
    EXPECT_EQ(stream.push("\xF0\x9F\x98"), "");
    EXPECT_EQ(stream.flush(), "\uFFFD");
    EXPECT_EQ(stream.flush(), "");
    EXPECT_EQ(stream.push("ok"), "ok");
}

TEST(TextStream, AnySplitGivesTheWholeText) {
    EXPECT_TRUE(rc::check([](const std::vector<std::string>& pieces) {
        TextStream stream;
        std::string all, streamed;
        for (const std::string& piece : pieces) {
            all += piece;
            const std::string out = stream.push(piece);
            RC_ASSERT(is_utf8(out));
            streamed += out;
        }
        streamed += stream.flush();
        RC_ASSERT(streamed == to_valid_utf8(all));
    }));
}

TEST(TextStream, ByteByByteEqualsTheWhole) {
    const std::string text = "aé你😀\xC3\xED\xA0\x80\xF0\x9F\x98z\xE4\xBD";
    TextStream stream;
    std::string streamed;
    for (const char c : text) streamed += stream.push({&c, 1});
    streamed += stream.flush();
    EXPECT_EQ(streamed, to_valid_utf8(text));
}

}  // namespace
}  // namespace kylin
