#include "grammar/language.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <regex>

#include "base/error.h"
#include "base/random.h"
#include "grammar/grammar.h"
#include "text/unicode.h"

namespace kylin::grammar {
namespace {

Language language(std::string_view pattern) {
    Budget budget(Limits{});
    return Language::matching(pattern, budget, "pattern");
}

bool matches(std::string_view pattern, std::string_view text) { return language(pattern).contains(to_utf32(text)); }

std::string refusal(std::string_view pattern) {
    try {
        language(pattern);
    } catch (const InputError& e) {
        return e.what();
    }
    return "accepted";
}

TEST(Regex, FindsAMatchAnywhereUnlessAnchored) {
    EXPECT_TRUE(matches("b+", "abbc"));
    EXPECT_FALSE(matches("b+", "ac"));
    EXPECT_FALSE(matches("^b", "ab"));
    EXPECT_TRUE(matches("^b", "b\n anything \xF0\x9F\x98\x80"));
    EXPECT_TRUE(matches("b$", "ab"));
    EXPECT_FALSE(matches("b$", "ba"));
    EXPECT_TRUE(matches("^a|b$", "ax"));
    EXPECT_TRUE(matches("^a|b$", "xb"));
    EXPECT_FALSE(matches("^a|b$", "bxa"));
    EXPECT_TRUE(matches("", "anything"));
    EXPECT_TRUE(matches("^$", ""));
    EXPECT_FALSE(matches("^$", "x"));
}

TEST(Regex, ReadsTheSyntaxOfEcmaScript) {
    EXPECT_TRUE(matches("^\\d{3}-\\w+\\s\\S$", "123-a_Z \xC3\xA9"));
    EXPECT_FALSE(matches("^\\d$", "\xD9\xA3"));  // another script's digit
    EXPECT_TRUE(matches("^[^\\d\\s]{2,}$", "ab-"));
    EXPECT_FALSE(matches("^[^\\d\\s]{2,}$", "a1"));
    EXPECT_TRUE(matches("^[-a\\]b-d]+$", "-a]c"));
    EXPECT_TRUE(matches("^\\x41\\u00e9\\u{1F600}$", "A\xC3\xA9\xF0\x9F\x98\x80"));
    EXPECT_TRUE(matches("^(?:a|(b)|(?<n>c))*$", "abcab"));
    EXPECT_TRUE(matches("^a{2}b{1,}c{0,2}?$", "aabbbc"));
    EXPECT_FALSE(matches("^a{2}$", "aaa"));
    EXPECT_TRUE(matches("^.$", "\xE2\x82\xAC"));
    EXPECT_FALSE(matches("^.$", "\n"));
    EXPECT_TRUE(matches("^[^]$", "\n"));
    EXPECT_TRUE(language("^a[]b$").empty());
    EXPECT_TRUE(matches("^\\/\\.\\*\\t$", "/.*\t"));
    EXPECT_TRUE(matches("^\xC3\xA9$", "\xC3\xA9"));
}

TEST(Regex, RefusesWhatItCannotHonour) {
    EXPECT_EQ(refusal("a(?=b)"), "pattern: the pattern looks around, which is not supported");
    EXPECT_EQ(refusal("a(?<!b)"), "pattern: the pattern looks around, which is not supported");
    EXPECT_EQ(refusal("(a)\\1"), "pattern: the pattern has the escape \\1, which is not supported");
    EXPECT_EQ(refusal("\\bword"), "pattern: the pattern has the escape \\b, which is not supported");
    EXPECT_EQ(refusal("\\p{L}"), "pattern: the pattern has the escape \\p, which is not supported");
    EXPECT_EQ(refusal("a^b"), "pattern: the pattern uses an anchor within");
    EXPECT_EQ(refusal("(^a)"), "pattern: the pattern uses an anchor within a group, which is not supported");
    EXPECT_EQ(refusal("(a"), "pattern: the pattern has a group that is not closed");
    EXPECT_EQ(refusal("a)"), "pattern: the pattern closes a group that is not open");
    EXPECT_EQ(refusal("a**"), "pattern: the pattern repeats a repetition");
    EXPECT_EQ(refusal("*a"), "pattern: the pattern has a \"*\" out of place");
    EXPECT_EQ(refusal("a{2"), "pattern: the pattern has a brace that is no repetition");
    EXPECT_EQ(refusal("a{}"), "pattern: the pattern has a brace that is no repetition");
    EXPECT_EQ(refusal("a{,3}"), "pattern: the pattern has a brace that is no repetition");
    EXPECT_EQ(refusal("(?x)"), "pattern: the pattern has a group of an unknown kind");
    EXPECT_EQ(refusal("\\01"), "pattern: the pattern has an octal escape");
    EXPECT_EQ(refusal("\\xAZ"), "pattern: the pattern has an escape with a digit that is not hexadecimal");
    EXPECT_EQ(refusal("\\u{110000}"), "pattern: the pattern has an escape beyond Unicode");
    EXPECT_EQ(refusal("a{3,2}"), "pattern: the pattern repeats at least more often than at most");
    EXPECT_EQ(refusal("a{99999999999}"), "pattern: the pattern repeats too often");
    EXPECT_EQ(refusal("[z-a]"), "pattern: the pattern has a range that runs backwards");
    EXPECT_EQ(refusal("[\\d-z]"), "pattern: the pattern has a range between classes");
    EXPECT_EQ(refusal("[a"), "pattern: the pattern ends too early");
    EXPECT_EQ(refusal("\\ud83d"), "pattern: the pattern has the escape of a surrogate, which is no character");
    EXPECT_EQ(refusal(std::string(65, '(') + std::string(65, ')')), "pattern: the pattern has too many groups inside each other");
}

TEST(Regex, RefusesPatternsThatExplodeWithinTheBudget) {
    for (const char* pattern :
         {"(a|b)*a(a|b){30}", "((a{100}){100}){100}", "(?:){1000000000}", "(a|a|b)*c(.{1,50}x){20}", "(x+x+)+y{900000}"}) {
        Budget budget(Limits{});
        EXPECT_THROW(Language::matching(pattern, budget, "p"), InputError) << pattern;
        EXPECT_LE(budget.spent(), budget.limits().fuel + 1'000'000) << pattern;
    }
    // Slow for engines that backtrack, and nothing special here.
    EXPECT_TRUE(matches("^(a+)+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
    EXPECT_FALSE(matches("^(a|aa)+$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"));
}

std::string random_pattern(Random& random, int depth) {
    const auto one = [&]() -> std::string {
        switch (random.below(depth > 0 ? 9 : 6)) {
            case 0:
                return "a";
            case 1:
                return "b";
            case 2:
                return "[ab]";
            case 3:
                return "[^a]";
            case 4:
                return "\\d";
            case 5:
                return "c";
            default:
                return "(?:" + random_pattern(random, depth - 1) + ")";
        }
    };
    constexpr std::string_view counts[] = {"", "", "", "*", "+", "?", "{2}", "{1,3}", "{0,1}?", "{2,}"};
    std::string pattern;
    for (uint64_t i = 0; i <= random.below(3); ++i) pattern += one() + std::string(counts[random.below(std::size(counts))]);
    if (random.below(4) == 0) pattern += "|" + one();
    return pattern;
}

std::string random_text(Random& random) {
    std::string text;
    for (uint64_t i = random.below(7); i > 0; --i) text += "abc1"[random.below(4)];
    return text;
}

RC_GTEST_PROP(Regex, AgreesWithTheStandardLibrary, (uint64_t seed)) {
    Random random(seed);
    std::string pattern = "(?:" + random_pattern(random, 2) + ")";
    if (random.below(2) == 0) pattern = "^" + pattern;
    if (random.below(2) == 0) pattern += "$";
    const Language ours = language(pattern);
    // Of its two executors the one that does not backtrack, which takes exponential time here.
    const std::regex theirs(pattern, std::regex::ECMAScript | std::regex_constants::__polynomial);
    for (int i = 0; i < 30; ++i) {
        const std::string text = random_text(random);
        RC_ASSERT(ours.contains(to_utf32(text)) == std::regex_search(text, theirs));
    }
}

RC_GTEST_PROP(Language, OperationsAreThoseOfSets, (uint64_t seed)) {
    Random random(seed);
    Budget budget(Limits{});
    const auto any = [&] { return language("^(?:" + random_pattern(random, 1) + ")$"); };
    const Language a = any(), b = any();
    std::vector<std::u32string> words;
    for (int i = 0; i < 5; ++i) words.push_back(to_utf32(random_text(random)));
    const auto min = static_cast<uint32_t>(random.below(3));
    const uint32_t max = random.below(3) == 0 ? unlimited : min + static_cast<uint32_t>(random.below(4));

    const Language both = a.intersected(b, budget, ""), fewer = a.without(words, budget, ""), sized = a.with_length(min, max, budget, "");
    for (int i = 0; i < 30; ++i) {
        const std::u32string text = i < 5 ? words[static_cast<size_t>(i)] : to_utf32(random_text(random));
        const bool in_a = a.contains(text);
        RC_ASSERT(both.contains(text) == (in_a && b.contains(text)));
        RC_ASSERT(fewer.contains(text) == (in_a && std::find(words.begin(), words.end(), text) == words.end()));
        RC_ASSERT(sized.contains(text) == (in_a && text.size() >= min && text.size() <= max));
    }
}

}  // namespace
}  // namespace kylin::grammar
