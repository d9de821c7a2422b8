#include "engine/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <numeric>
#include <rapidcheck/gtest.h>

#include "fake_model.h"

namespace kylin {
namespace {

using Sequences = std::vector<std::unique_ptr<Sequence>>;

const Tokenizer& tokenizer() {
    static const Tokenizer t = fake_tokenizer();
    return t;
}

// One sequence with so many tokens to run, after so many in the cache.
std::unique_ptr<Sequence> pending(PagePool& pool, int n, int n_cached = 0) {
    Tokens tokens(static_cast<size_t>(n + n_cached));
    std::iota(tokens.begin(), tokens.end(), 1);
    GenerationRequest request({.prompt = tokens, .max_tokens = 1}, {.n_vocab = 1 << 20, .n_ctx = 1 << 20});
    auto sequence = std::make_unique<Sequence>(Sequence::Origin{0, std::move(request), {}, {}}, tokenizer());
    tokens.resize(static_cast<size_t>(n_cached));
    PageTable pages(pool);
    EXPECT_TRUE(pages.resize(pages_for(n + n_cached)));
    sequence->admit({tokens, std::move(pages)});
    return sequence;
}

std::vector<int> rows_of(const Step& step) {
    std::vector<int> rows;
    for (const auto& part : step.parts) rows.push_back(part.n_rows);
    return rows;
}

TEST(Scheduler, RunsAnswersFirstThenShortPromptsAndHalfOfTheOldest) {
    PagePool pool(1000);
    Sequences s;
    s.push_back(pending(pool, 500));
    s.push_back(pending(pool, 1, 70));
    s.push_back(pending(pool, 400));
    s.push_back(pending(pool, 10));
    s.push_back(pending(pool, 1, 3));
    const Step step = plan_step(s, 102);
    EXPECT_EQ(rows_of(step), (std::vector<int>{1, 1, 10, 22, 32}));
    EXPECT_EQ(step.parts.back().sequence, s[0].get());
    EXPECT_EQ(step.batch.outputs, (std::vector<int32_t>{0, 1, 11}));
    EXPECT_EQ(step.parts[2].output, 2);
    EXPECT_EQ(step.parts[3].output, -1);
}

TEST(Scheduler, TakesSmallStepsWhereOthersWait) {
    PagePool pool(1000);
    Sequences s;
    s.push_back(pending(pool, 1000));
    EXPECT_EQ(rows_of(plan_step(s, 256)), std::vector<int>{256});
    s.push_back(pending(pool, 1, 70));
    EXPECT_EQ(rows_of(plan_step(s, 256)), (std::vector<int>{1, 64}));
    s.pop_back();
    for (int i = 0; i < 3; ++i) s.push_back(pending(pool, 32));
    EXPECT_EQ(rows_of(plan_step(s, 256)), (std::vector<int>{32, 32}));  // one of the short ones is answered after this step
}

RC_GTEST_PROP(Scheduler, PlansEveryStepWithinItsRules, ()) {
    PagePool pool(10000);
    Sequences s;
    for (const auto& [n, cached] : *rc::gen::nonEmpty(
             rc::gen::container<std::vector<std::pair<int, int>>>(rc::gen::pair(rc::gen::inRange(1, 300), rc::gen::inRange(0, 100)))))
        s.push_back(pending(pool, n, cached));
    const int max_rows = *rc::gen::inRange(static_cast<int>(s.size()), 600);
    const Step step = plan_step(s, max_rows);

    int total = 0, n_answers = 0, row = 0, n_outputs = 0;
    for (const auto& q : s) total += q->n_pending(), n_answers += q->n_pending() == 1;
    const int limit = s.size() == 1 ? max_rows : std::min(max_rows, n_answers + 64);
    RC_ASSERT(step.batch.rows() == std::min(total, limit));
    RC_ASSERT(step.parts.size() <= s.size());
    const auto oldest = std::find_if(s.begin(), s.end(), [](const auto& q) { return q->n_pending() > 1; });
    std::map<const Sequence*, int> rows;
    for (const auto& part : step.parts) RC_ASSERT(rows.emplace(part.sequence, part.n_rows).second);
    for (const auto& q : s)
        if (q->n_pending() == 1) RC_ASSERT(rows[q.get()] == 1);
    if (oldest != s.end()) RC_ASSERT(rows[oldest->get()] >= std::min((*oldest)->n_pending(), (limit - n_answers + 1) / 2));
    for (size_t i = 0; i < step.parts.size(); ++i) {
        const auto& [sequence, n_rows, output, guess] = step.parts[i];
        const Chunk& chunk = step.batch.chunks[i];
        RC_ASSERT(guess.empty());  // no answer has begun
        RC_ASSERT(n_rows >= 1 && n_rows <= sequence->n_pending());
        RC_ASSERT(chunk.first_row == row && chunk.n_rows == n_rows && chunk.first_position == sequence->n_cached());
        for (int r = 0; r < n_rows; ++r)
            RC_ASSERT(step.batch.tokens[static_cast<size_t>(row + r)] == sequence->tokens()[static_cast<size_t>(sequence->n_cached() + r)]);
        row += n_rows;
        if (n_rows == sequence->n_pending()) {
            RC_ASSERT(output == n_outputs);
            RC_ASSERT(step.batch.outputs[static_cast<size_t>(output)] == row - 1);
            ++n_outputs;
        } else {
            RC_ASSERT(output == -1);
        }
    }
    RC_ASSERT(step.batch.outputs.size() == static_cast<size_t>(n_outputs));
}

// An answer with so many tokens of a loop of three in the cache, and room for so many more.
std::unique_ptr<Sequence> looping(PagePool& pool, int n_cached, int n_room) {
    Tokens tokens(static_cast<size_t>(n_cached));
    for (size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<int32_t>(i % 3);
    GenerationRequest request({.prompt = tokens, .max_tokens = n_room + 1}, {.n_vocab = 1 << 20, .n_ctx = 1 << 20});
    auto sequence = std::make_unique<Sequence>(Sequence::Origin{0, std::move(request), [](const TokenEvent&) {}, {}}, tokenizer());
    PageTable pages(pool);
    EXPECT_TRUE(pages.resize(pages_for(n_cached + n_room)));
    sequence->admit({{}, std::move(pages)});
    sequence->advance(n_cached);
    sequence->accept(n_cached % 3, {});
    return sequence;
}

TEST(Scheduler, RunsGuessesWithTheirLogitsBesideTheAnswer) {
    PagePool pool(100);
    Sequences s;
    s.push_back(pending(pool, 50));
    s.push_back(looping(pool, 30, 20));
    const Step step = plan_step(s, 40, 7);
    ASSERT_EQ(step.parts[0].sequence, s[1].get());
    EXPECT_EQ(step.parts[0].n_rows, 1);
    const auto n_guess = static_cast<int>(step.parts[0].guess.size());
    ASSERT_GT(n_guess, 0);
    Tokens rows, outputs;
    for (int i = 0; i <= n_guess; ++i) rows.push_back(i % 3), outputs.push_back(i);
    EXPECT_EQ(Tokens(step.batch.tokens.begin(), step.batch.tokens.begin() + n_guess + 1), rows);
    EXPECT_EQ(step.batch.outputs, outputs);
    EXPECT_EQ(step.batch.chunks[0].n_rows, n_guess + 1);
    EXPECT_EQ(step.batch.chunks[1].first_row, n_guess + 1);
    EXPECT_EQ(step.batch.rows(), 40);  // the prompt takes what is left
}

TEST(Scheduler, GuessesWithinItsRowsAndTheRoomOfTheAnswer) {
    PagePool pool(100);
    for (const auto& [n_room, max_rows, n_draft] : {std::tuple{0, 40, 7}, {1, 40, 7}, {20, 1, 7}, {20, 2, 7}, {20, 40, 0}, {20, 40, 1}}) {
        Sequences s;
        s.push_back(looping(pool, 30, n_room));
        if (s[0]->ended()) continue;
        const Step step = plan_step(s, max_rows, n_draft);
        const int most = std::min({n_room - 1, max_rows - 1, n_draft});
        EXPECT_LE(static_cast<int>(step.parts[0].guess.size()), most);
        EXPECT_EQ(step.parts[0].guess.empty(), most == 0);
    }
}

}  // namespace
}  // namespace kylin
