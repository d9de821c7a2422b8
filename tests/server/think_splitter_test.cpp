#include "server/think_splitter.h"

#include <gtest/gtest.h>

namespace kylin::server {
namespace {

ThinkSplitter::Parts split(const std::string& text, size_t piece, bool inside = false) {
    ThinkSplitter splitter(inside);
    ThinkSplitter::Parts sum;
    const auto add = [&](const ThinkSplitter::Parts& parts) { sum.reasoning += parts.reasoning, sum.content += parts.content; };
    for (size_t at = 0; at < text.size(); at += piece) add(splitter.push(text.substr(at, piece)));
    add(splitter.finish());
    return sum;
}

void check(const std::string& text, const std::string& reasoning, const std::string& content, bool inside = false) {
    for (size_t piece = 1; piece <= text.size() + 1; ++piece) {
        const auto parts = split(text, piece, inside);
        EXPECT_EQ(parts.reasoning, reasoning) << text << " by " << piece;
        EXPECT_EQ(parts.content, content) << text << " by " << piece;
    }
}

TEST(ThinkSplitter, SplitsHoweverTheTextArrives) {
    check("<think>\nLet me see.\n\nYes.\n</think>\n\nFour.", "Let me see.\n\nYes.", "Four.");
    check("\n<think>a</think>b", "a", "b");
    check("<think>\n\n</think>\n\nFour.", "", "Four.");
    check("Let me see.\n</think>\n\nFour.", "Let me see.", "Four.", true);
}

TEST(ThinkSplitter, LeavesOtherTextAlone) {
    check("Four.", "", "Four.");
    check("", "", "");
    check("<thin ice", "", "<thin ice");
    check("<thi", "", "<thi");
    check("  a <think>b</think>", "", "  a <think>b</think>");
    check("a</think>b", "", "a</think>b");
    check("<think>a</think>b<think>c</think>d", "a", "b<think>c</think>d");
}

TEST(ThinkSplitter, ThoughtsMayBeCutShort) {
    check("<think>\nLet me", "Let me", "");
    check("<think>a </thi", "a </thi", "");
    check("<think>a < b", "a < b", "");
}

}  // namespace
}  // namespace kylin::server
