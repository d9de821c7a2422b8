#include "engine/stop_matcher.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <optional>
#include <rapidcheck/gtest.h>

namespace kylin {
namespace {

struct Outcome {
    std::string text;
    bool matched;
    bool operator==(const Outcome&) const = default;
};

// The definition: the first end at which any stop string ends, the longest of those, everything before it.
Outcome naive(const std::vector<std::string>& stops, const std::string& text) {
    for (size_t end = 1; end <= text.size(); ++end) {
        size_t longest = 0;
        for (const std::string& stop : stops)
            if (std::string_view(text).substr(0, end).ends_with(stop)) longest = std::max(longest, stop.size());
        if (longest > 0) return {text.substr(0, end - longest), true};
    }
    return {text, false};
}

// What of `text` may still become the beginning of a stop string.
size_t possible_prefix(const std::vector<std::string>& stops, const std::string& text) {
    size_t longest = 0;
    for (const std::string& stop : stops)
        for (size_t n = 1; n < stop.size(); ++n)
            if (text.ends_with(stop.substr(0, n))) longest = std::max(longest, n);
    return longest;
}

std::string any_text(int longest) { return *rc::gen::resize(longest, rc::gen::container<std::string>(rc::gen::element('a', 'b', 'c'))); }

std::vector<std::string> any_stops() {
    std::vector<std::string> stops;
    for (int n = *rc::gen::inRange(1, 4); n > 0; --n)
        stops.push_back(*rc::gen::suchThat(rc::gen::resize(6, rc::gen::container<std::string>(rc::gen::element('a', 'b'))),
                                           [](const std::string& s) { return !s.empty(); }));
    return stops;
}

RC_GTEST_PROP(StopMatcher, FindsWhatTheNaiveSearchFindsForEverySplit, ()) {
    const auto stops = any_stops();
    const std::string text = any_text(10);
    const Outcome expected = naive(stops, text);
    for (uint32_t cuts = 0; cuts < (1u << (text.empty() ? 0 : text.size() - 1)) && cuts < 512; ++cuts) {
        StopMatcher matcher(stops);
        Outcome got{};
        std::string piece;
        for (size_t i = 0; i < text.size(); ++i) {
            piece += text[i];
            if (i + 1 < text.size() && !(cuts >> i & 1)) continue;
            got.text += matcher.feed(piece);
            piece.clear();
        }
        got.matched = matcher.matched();
        got.text += matcher.finish();
        RC_ASSERT(got == expected);
    }
}

RC_GTEST_PROP(StopMatcher, HoldsBackNoMoreThanItMust, ()) {
    const auto stops = any_stops();
    const std::string text = any_text(30);
    StopMatcher matcher(stops);
    std::string released;
    for (size_t i = 0; i < text.size(); ++i) {
        released += matcher.feed(text.substr(i, 1));
        if (matcher.matched()) return;
        const std::string so_far = text.substr(0, i + 1);
        RC_ASSERT(released.size() == so_far.size() - possible_prefix(stops, so_far));
    }
}

TEST(StopMatcher, IsSilentAfterAMatch) {
    StopMatcher matcher(std::vector<std::string>{"END"});
    EXPECT_EQ(matcher.feed("one EN"), "one ");
    EXPECT_EQ(matcher.feed("D two"), "");
    EXPECT_TRUE(matcher.matched());
    EXPECT_EQ(matcher.feed(" END three"), "");
    EXPECT_EQ(matcher.finish(), "");
}

TEST(StopMatcher, WithoutStopsPassesEverythingOn) {
    StopMatcher matcher({});
    EXPECT_EQ(matcher.feed("text"), "text");
    EXPECT_FALSE(matcher.matched());
}

TEST(StopMatcher, AWorstCaseIsLinear) {
    // A matcher that went back after each near miss would read 4e9 bytes here.
    StopMatcher matcher(std::vector<std::string>{std::string(1000, 'a') + "b"});
    const std::string text(4'000'000, 'a');
    EXPECT_EQ(matcher.feed(text).size(), text.size() - 1000);
}

}  // namespace
}  // namespace kylin
