#include "engine/prompt_lookup.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace kylin {
namespace {

using Tokens = std::vector<int32_t>;

TEST(LookUp, GoesOnAsTheLongestEarlierOccurrenceDid) {
    EXPECT_EQ(look_up(Tokens{1, 2, 3, 4, 5, 9, 2, 3, 4, 6, 1, 2, 3, 4}, 2), (Tokens{5, 9}));
}

TEST(LookUp, TakesTheLatestOfEquallyLongOccurrences) { EXPECT_EQ(look_up(Tokens{1, 2, 3, 4, 0, 1, 2, 3, 5, 7, 1, 2, 3}, 1), Tokens{5}); }

TEST(LookUp, GoesRoundInALoop) { EXPECT_EQ(look_up(Tokens{8, 1, 2, 1, 2, 1, 2}, 5), (Tokens{1, 2, 1, 2, 1})); }

TEST(LookUp, SaysNothingWhereTooLittleWasSaidBefore) {
    EXPECT_EQ(look_up(Tokens{}, 4), Tokens{});
    EXPECT_EQ(look_up(Tokens{1, 1, 1}, 4), Tokens{});
    EXPECT_EQ(look_up(Tokens{1, 2, 9, 1, 2}, 4), Tokens{});  // two tokens are no evidence
    EXPECT_EQ(look_up(Tokens{1, 2, 3, 9, 1, 2, 3}, 0), Tokens{});
}

RC_GTEST_PROP(LookUp, AnswersWithWhatFollowedAnOccurrence, ()) {
    const auto tokens = *rc::gen::container<Tokens>(rc::gen::inRange(0, 3));
    const Tokens guess = look_up(tokens, 4);
    if (guess.empty()) return;
    RC_ASSERT(guess.size() == 4u);
    Tokens all = tokens;
    all.insert(all.end(), guess.begin(), guess.end());
    // Some shift maps the last three tokens and the whole guess onto what stands before them.
    bool found = false;
    for (size_t shift = 1; shift + 3 <= tokens.size() && !found; ++shift)
        found = std::equal(all.begin() + static_cast<std::ptrdiff_t>(tokens.size() - 3), all.end(),
                           all.begin() + static_cast<std::ptrdiff_t>(tokens.size() - 3 - shift));
    RC_ASSERT(found);
}

// Says the tokens one after the other, and counts what was guessed.
size_t n_guessed(PromptLookup& lookup, const Tokens& said, size_t n_answers) {
    Tokens tokens;
    size_t n = 0;
    for (const int32_t token : said) {
        n += lookup.guess(tokens, 7, n_answers).size();
        lookup.judge(token);
        tokens.push_back(token);
    }
    return n;
}

Tokens loop(int32_t period, int n) {
    Tokens tokens;
    for (int32_t i = 0; i < n; ++i) tokens.push_back(i % period);
    return tokens;
}

TEST(PromptLookup, GuessesFurtherTheMoreItIsRight) {
    PromptLookup lookup;
    Tokens tokens = loop(5, 20);
    const size_t first = lookup.guess(tokens, 7, 1).size();
    EXPECT_GT(first, 0u);
    for (int32_t i = 20; i < 80; ++i) {
        lookup.guess(tokens, 7, 1);
        lookup.judge(i % 5);
        tokens.push_back(i % 5);
    }
    EXPECT_EQ(lookup.guess(tokens, 7, 1).size(), 7u);
    EXPECT_GT(lookup.rate(), 0.9);
}

// Every triple occurs many times, and what follows it never twice in a row.
TEST(PromptLookup, StopsWhereItIsWrongAndBeginsAgainWhereItIsRight) {
    Tokens tokens;
    PromptLookup lookup;
    int32_t other = 100;
    const auto say = [&](int32_t token) {
        const size_t n = lookup.guess(tokens, 7, 1).size();
        lookup.judge(token);
        tokens.push_back(token);
        return n;
    };
    size_t late = 0;
    for (int i = 0; i < 100; ++i) {
        for (const int32_t token : {1, 2, 3}) say(token);
        const size_t n = say(other++);  // always guessed wrong
        if (i > 50) late += n;
    }
    EXPECT_EQ(late, 0u);
    size_t again = 0;
    for (int i = 0; i < 100; ++i) again += say(i % 4);
    EXPECT_GT(again, 100u);
}

TEST(PromptLookup, GuessesLessInCompany) {
    PromptLookup alone, in_company;
    const Tokens said = loop(6, 24);
    EXPECT_GT(n_guessed(alone, said, 1), n_guessed(in_company, said, 64));
}

}  // namespace
}  // namespace kylin
