#include "engine/engine.h"

#include <cmath>
#include <condition_variable>
#include <future>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limits>
#include <thread>

#include "base/error.h"
#include "base/utf8.h"
#include "fake_model.h"
#include "grammar/answers.h"
#include "grammar/constraint.h"

namespace kylin {
namespace {

using testing::HasSubstr;

struct Answer {
    std::string text;
    Tokens tokens;
    std::vector<std::vector<TokenLogprob>> logprobs;
    Finish finish{};
    bool operator==(const Answer& other) const { return text == other.text && tokens == other.tokens; }
};

// One engine with its model; waits for answers.
class Bench {
public:
    explicit Bench(const EngineOptions& options, Script script = babble)
        : model(std::move(script)),
          tokenizer(fake_tokenizer()),
          limits_{fake_vocab, options.n_pages * page_positions},
          math_(options.n_pages) {
        options_ = options;
    }
    Engine& engine() {
        if (!engine_) engine_.emplace(EngineParts{model, math_, tokenizer}, options_);
        return *engine_;
    }
    void stop() { engine_.reset(); }

    struct Running {
        RequestId id;
        std::future<Answer> answer;
    };
    Running start(GenerationSpec spec, std::function<void(const TokenEvent&)> also = {}) {
        auto promise = std::make_shared<std::promise<Answer>>();
        auto answer = std::make_shared<Answer>();
        std::future<Answer> future = promise->get_future();
        const RequestId id = engine().submit(GenerationRequest(std::move(spec), limits_), [=](const TokenEvent& event) {
            answer->text += event.text;
            if (event.token) answer->tokens.push_back(*event.token);
            if (!event.logprobs.empty()) answer->logprobs.push_back(event.logprobs);
            if (also) also(event);
            if (event.finish) answer->finish = *event.finish, promise->set_value(*answer);
        });
        return {id, std::move(future)};
    }
    Answer run(GenerationSpec spec) { return start(std::move(spec)).answer.get(); }

    FakeModel model;
    Tokenizer tokenizer;

private:
    RequestLimits limits_;
    EngineOptions options_{};
    FakeNumerics math_;
    std::optional<Engine> engine_;
};

Tokens prompt(int n, int seed) {
    Tokens tokens;
    for (int i = 0; i < n; ++i) tokens.push_back((i * 7 + seed * 31) % 256);
    return tokens;
}

GenerationSpec babbling(int n_prompt, int seed) {
    return {
        .prompt = prompt(n_prompt, seed), .sampling = {.temperature = 0.7, .seed = static_cast<uint64_t>(seed)}, .max_tokens = 40 + seed};
}

// Says `text`, then the end token; what follows a prompt of n_prompt tokens.
Script speech(const Tokenizer& tokenizer, const std::string& text, size_t n_prompt) {
    Tokens answer;
    for (std::string_view rest = text; !rest.empty(); rest.remove_prefix(utf8_character_bytes(rest)))
        for (const int32_t id : tokenizer.encode(rest.substr(0, utf8_character_bytes(rest)), Special::text)) answer.push_back(id);
    answer.push_back(*tokenizer.find("<|im_end|>"));
    return [=](const Tokens& prefix, std::span<float> logits) {
        logits[static_cast<size_t>(answer.at(std::min(prefix.size() - n_prompt, answer.size() - 1)))] = 10;
    };
}

TEST(Engine, AnswersDoNotDependOnCompanyChunksOrOrder) {
    const std::vector<GenerationSpec> specs = {babbling(1, 0),   babbling(63, 1), babbling(64, 2), babbling(65, 3),
                                               babbling(200, 4), babbling(7, 5),  babbling(130, 6)};
    std::vector<Answer> alone;
    for (const GenerationSpec& spec : specs) alone.push_back(Bench({.n_pages = 8}).run(spec));
    for (const EngineOptions& options :
         {EngineOptions{.n_pages = 8, .n_sequences = 1, .n_ubatch = 1}, EngineOptions{.n_pages = 30, .n_sequences = 4, .n_ubatch = 7},
          EngineOptions{.n_pages = 9, .n_sequences = 8, .n_ubatch = 33}, EngineOptions{.n_pages = 60, .n_sequences = 8, .n_ubatch = 512}}) {
        Bench bench(options);
        std::vector<Bench::Running> running;
        for (const GenerationSpec& spec : specs) running.push_back(bench.start(spec));
        for (size_t i = 0; i < specs.size(); ++i) {
            const Answer answer = running[i].answer.get();
            EXPECT_EQ(answer, alone[i]) << "request " << i;
            EXPECT_EQ(answer.finish.reason, FinishReason::length);
            EXPECT_EQ(answer.finish.usage.n_prompt, static_cast<int>(specs[i].prompt.size()));
            EXPECT_EQ(answer.finish.usage.n_answer, specs[i].max_tokens);
        }
        for (const auto& chunks : bench.model.batches()) {
            EXPECT_LE(chunks.size(), static_cast<size_t>(options.n_sequences));
            EXPECT_LE(chunks.back().first_row + chunks.back().n_rows, options.n_ubatch);
        }
    }
}

// Says again what was said `period` tokens before, but now and then something else.
Script loops(size_t period) {
    return [=](const Tokens& prefix, std::span<float> logits) {
        babble(prefix, logits);
        uint64_t hash = prefix.size();
        for (const int32_t token : prefix) hash = hash * 31 + static_cast<uint64_t>(token);
        if (prefix.size() > period && hash % 16 != 0) logits[static_cast<size_t>(prefix[prefix.size() - period])] += 9;
    };
}

TEST(Engine, AnswersDoNotDependOnGuesses) {
    std::vector<GenerationSpec> specs = {babbling(40, 0), babbling(63, 1), babbling(64, 2), babbling(65, 3), babbling(200, 4)};
    for (GenerationSpec& spec : specs) spec.max_tokens += 60;
    specs[1].stop = {"c"};
    specs[2].logprobs = 2;
    specs[3].sampling.frequency_penalty = 0.1;
    specs[4].sampling.temperature = 0;
    std::vector<Answer> plain;
    for (const GenerationSpec& spec : specs) plain.push_back(Bench({.n_pages = 8, .n_draft = 0}, loops(9)).run(spec));
    for (const EngineOptions& options :
         {EngineOptions{.n_pages = 8, .n_draft = 1}, EngineOptions{.n_pages = 8, .n_ubatch = 3, .n_draft = 7},
          EngineOptions{.n_pages = 60, .n_sequences = 5, .n_draft = 30}}) {
        Bench bench(options, loops(9));
        std::vector<Bench::Running> running;
        for (const GenerationSpec& spec : specs) running.push_back(bench.start(spec));
        int n_accepted = 0, n_rejected = 0;
        for (size_t i = 0; i < specs.size(); ++i) {
            const Answer answer = running[i].answer.get();
            EXPECT_EQ(answer, plain[i]) << "request " << i;
            EXPECT_EQ(answer.finish.usage.n_answer, plain[i].finish.usage.n_answer);
            EXPECT_EQ(answer.finish.reason, plain[i].finish.reason);
            ASSERT_EQ(answer.logprobs.size(), plain[i].logprobs.size());
            for (size_t t = 0; t < answer.logprobs.size(); ++t) EXPECT_EQ(answer.logprobs[t][1].logprob, plain[i].logprobs[t][1].logprob);
            n_accepted += answer.finish.usage.n_accepted;
            n_rejected += answer.finish.usage.n_drafted - answer.finish.usage.n_accepted;
        }
        EXPECT_GT(n_accepted, 20);
        EXPECT_GT(n_rejected, 0);
    }
}

TEST(Engine, RightGuessesSaveSteps) {
    Bench bench({.n_pages = 8},
                [](const Tokens& prefix, std::span<float> logits) { logits[static_cast<size_t>(prefix[prefix.size() - 4])] = 1; });
    const Answer answer = bench.run({.prompt = prompt(20, 1), .max_tokens = 100});
    EXPECT_EQ(answer.finish.usage.n_answer, 100);
    EXPECT_LT(bench.model.batches().size(), 30u);
    // What was guessed and not taken leaves no trace: the next turn goes on from the cache.
    Tokens next = prompt(20, 1);
    next.insert(next.end(), answer.tokens.begin(), answer.tokens.end());
    const Answer after = bench.run({.prompt = next, .max_tokens = 9});
    EXPECT_GT(after.finish.usage.n_reused, 110);
    EXPECT_EQ(after, Bench({.n_pages = 8, .n_draft = 0}, [](const Tokens& prefix, std::span<float> logits) {
                         logits[static_cast<size_t>(prefix[prefix.size() - 4])] = 1;
                     }).run({.prompt = next, .max_tokens = 9}));
}

TEST(Engine, EndsAtTheEndTokenWhichIsNotShown) {
    Bench bench({.n_pages = 4}, speech(fake_tokenizer(), "Hello, world", 3));
    const Answer answer = bench.run({.prompt = {1, 2, 3}});
    EXPECT_EQ(answer.text, "Hello, world");
    EXPECT_EQ(answer.finish.reason, FinishReason::stop);
    EXPECT_EQ(answer.finish.usage.n_answer, 13);
    const Answer longer = bench.run({.prompt = {1, 2, 3}, .max_tokens = 20, .ignore_end = true});
    EXPECT_EQ(longer.text, "Hello, world");
    EXPECT_EQ(longer.finish.reason, FinishReason::length);
    EXPECT_EQ(longer.tokens.size(), 20u);
}

TEST(Engine, EndsBeforeAStopStringAndAtAStopToken) {
    const Tokenizer tokenizer = fake_tokenizer();
    Bench bench({.n_pages = 4}, speech(tokenizer, "one two three", 1));
    GenerationSpec spec{.prompt = {1}};
    spec.stop = {"two t", "three"};
    const Answer at_string = bench.run(spec);
    EXPECT_EQ(at_string.text, "one ");
    EXPECT_EQ(at_string.finish.reason, FinishReason::stop);
    spec.stop = {"threes"};
    EXPECT_EQ(bench.run(spec).text, "one two three");
    spec.stop = {"two three"};
    spec.max_tokens = 6;
    EXPECT_EQ(bench.run(spec).text, "one tw");
    spec.stop.clear();
    spec.stop_tokens = tokenizer.encode("w", Special::text);
    const Answer at_token = bench.run(spec);
    EXPECT_EQ(at_token.text, "one t");
    EXPECT_EQ(at_token.finish.reason, FinishReason::stop);
}

TEST(Engine, NeverShowsHalfACharacter) {
    Bench bench({.n_pages = 4}, speech(fake_tokenizer(), "你好", 1));
    std::vector<std::string> pieces;
    auto running = bench.start({.prompt = {1}}, [&](const TokenEvent& event) { pieces.push_back(event.text); });
    running.answer.get();
    EXPECT_EQ(pieces, (std::vector<std::string>{"", "", "你", "", "", "好", ""}));
    EXPECT_EQ(bench.run({.prompt = {1}, .max_tokens = 4}).text, "你\xEF\xBF\xBD");
}

TEST(Engine, FillsTheContextExactly) {
    Bench bench({.n_pages = 2});
    const Answer answer = bench.run({.prompt = prompt(100, 1)});
    EXPECT_EQ(answer.tokens.size(), 28u);
    EXPECT_EQ(answer.finish.reason, FinishReason::length);
}

TEST(Engine, AFailureEndsOneRequestAndSparesTheOthers) {
    const auto poison = [](const Tokens& prefix, std::span<float> logits) {
        babble(prefix, logits);
        if (prefix[0] == 13 && prefix.size() == 10) logits[7] = std::numeric_limits<float>::quiet_NaN();
        if (prefix[0] == 14 && prefix.size() == 10) logits[7] = -std::numeric_limits<float>::infinity();
    };
    const Answer expected = Bench({.n_pages = 4}).run(babbling(5, 1));
    Bench bench({.n_pages = 12, .n_sequences = 3}, poison);
    auto nan = bench.start({.prompt = {13, 1, 2}}), infinite = bench.start({.prompt = {14, 1, 2}}), honest = bench.start(babbling(5, 1));
    for (auto* bad : {&nan, &infinite}) {
        const Answer answer = bad->answer.get();
        EXPECT_EQ(answer.finish.reason, FinishReason::not_finite);
        EXPECT_EQ(answer.finish.message, "non-finite logits");
        EXPECT_EQ(answer.tokens.size(), 7u);
    }
    EXPECT_EQ(honest.answer.get(), expected);
    EXPECT_EQ(bench.run(babbling(5, 1)), expected);
    EXPECT_EQ(bench.run({.prompt = {13, 1, 2}}).finish.usage.n_reused, 0) << "goes on from what a failure left in the cache";
}

TEST(Engine, AFailureLosesNoTextThatWasHeldBack) {
    const auto say = speech(fake_tokenizer(), "one two four", 1);
    Bench bench({.n_pages = 4}, [=](const Tokens& prefix, std::span<float> logits) {
        say(prefix, logits);
        if (prefix.size() == 8) logits[0] = std::numeric_limits<float>::infinity();
    });
    GenerationSpec spec{.prompt = {1}};
    spec.stop = {"two three"};
    EXPECT_EQ(bench.run(spec).text, "one two");
}

TEST(Engine, AStepThatThrowsEndsItsRequestsAndTheEngineLivesOn) {
    Bench bench({.n_pages = 12, .n_sequences = 2});
    int n_steps = 0;
    bench.model.before_step = [&] {
        if (++n_steps == 3) throw std::bad_alloc();
    };
    const Answer failed = bench.run(babbling(5, 1));
    EXPECT_EQ(failed.finish.reason, FinishReason::error);
    EXPECT_FALSE(failed.finish.message.empty());
    EXPECT_EQ(bench.run(babbling(5, 1)), Bench({.n_pages = 4}).run(babbling(5, 1)));
}

TEST(Engine, CancelEndsARequestInAnyPhase) {
    Bench bench({.n_pages = 12, .n_sequences = 1});
    std::promise<void> third_step, go_on;
    int n_steps = 0;
    bench.model.before_step = [&] {
        if (++n_steps != 3) return;
        third_step.set_value();
        go_on.get_future().get();
    };
    auto running = bench.start({.prompt = {1}}), waiting = bench.start(babbling(5, 1)), last = bench.start(babbling(5, 2));
    third_step.get_future().get();
    bench.engine().cancel(waiting.id);
    bench.engine().cancel(running.id);
    go_on.set_value();
    EXPECT_EQ(waiting.answer.get().finish.reason, FinishReason::cancelled);
    const Answer answer = running.answer.get();
    EXPECT_EQ(answer.finish.reason, FinishReason::cancelled);
    EXPECT_EQ(answer.tokens.size(), 2u);
    bench.engine().cancel(running.id);
    bench.engine().cancel(12345);
    EXPECT_EQ(last.answer.get(), Bench({.n_pages = 4}).run(babbling(5, 2)));
}

TEST(Engine, CancelEndsAStepThatOnlyServesTheCancelled) {
    Bench bench({.n_pages = 12, .n_sequences = 1});
    std::promise<void> in_step, go_on;
    bench.model.before_step = [&, first = true]() mutable {
        if (!std::exchange(first, false)) return;
        in_step.set_value();
        go_on.get_future().get();
    };
    auto running = bench.start(babbling(5, 1));
    in_step.get_future().get();
    bench.engine().cancel(running.id);
    go_on.set_value();
    const Answer answer = running.answer.get();
    EXPECT_EQ(answer.finish.reason, FinishReason::cancelled);
    EXPECT_TRUE(answer.tokens.empty()) << "the step went on to the end";
}

TEST(Engine, ItsEndCancelsWhatRunsAndWhatWaits) {
    Bench bench({.n_pages = 12, .n_sequences = 1});
    bench.model.before_step = [] { std::this_thread::sleep_for(std::chrono::milliseconds(5)); };  // 4 s until the first would end by itself
    auto running = bench.start({.prompt = {1}}), waiting = bench.start({.prompt = {2}});
    bench.stop();
    EXPECT_EQ(running.answer.get().finish.reason, FinishReason::cancelled);
    EXPECT_EQ(waiting.answer.get().finish.reason, FinishReason::cancelled);
}

TEST(Engine, GoesOnFromCachedTokensWithTheSameAnswer) {
    Bench bench({.n_pages = 6, .n_sequences = 2});
    const Answer first = bench.run(babbling(80, 1));
    GenerationSpec next = babbling(80, 1);
    next.prompt.insert(next.prompt.end(), first.tokens.begin(), first.tokens.end());
    next.prompt.insert(next.prompt.end(), {5, 6, 7});
    const Answer second = bench.run(next);
    EXPECT_EQ(second.finish.usage.n_reused, 80 + 40);  // the last token of an answer is never run
    EXPECT_EQ(second, Bench({.n_pages = 6}).run(next));
    const Answer again = bench.run(next);
    EXPECT_EQ(again.finish.usage.n_reused, static_cast<int>(next.prompt.size()) - 1);
    EXPECT_EQ(again, second);
    EXPECT_EQ(bench.run(babbling(300, 9)).finish.usage.n_reused, 0);  // needs every page: kept ones make room
}

TEST(Engine, SharesBeginningsWithoutChangingAnswers) {
    const auto asks = [](int i) {
        GenerationSpec spec = babbling(150, 1);  // a long beginning that all have
        spec.prompt.insert(spec.prompt.end(), {100 + i, 101, 102});
        spec.sampling.seed = static_cast<uint64_t>(i);
        return spec;
    };
    Bench bench({.n_pages = 40, .n_sequences = 4});
    std::promise<void> begun;
    std::once_flag once;
    GenerationSpec first = asks(0);
    first.max_tokens = 400;
    auto running = bench.start(first, [&](const TokenEvent&) { std::call_once(once, [&] { begun.set_value(); }); });
    begun.get_future().wait();
    for (int i = 1; i < 9; ++i) {
        const Answer answer = bench.run(asks(i));
        EXPECT_GE(answer.finish.usage.n_reused, 128);  // two pages, from the one that still runs or from an ended one
        EXPECT_EQ(answer, Bench({.n_pages = 8}).run(asks(i)));
    }
    GenerationSpec salted = asks(1);
    salted.cache_salt = "mine";
    EXPECT_EQ(bench.run(salted).finish.usage.n_reused, 0);
    EXPECT_GE(bench.run(salted).finish.usage.n_reused, 128);
    bench.engine().cancel(running.id);
    running.answer.get();
}

TEST(Engine, ComputesTheCommonPromptOfAnswersThatBeginTogetherOnce) {
    const auto asks = [](int i) {
        GenerationSpec spec = babbling(200, 1);
        spec.sampling.seed = static_cast<uint64_t>(i);
        return spec;
    };
    Bench bench({.n_pages = 40, .n_sequences = 8, .n_ubatch = 8});
    std::vector<Bench::Running> running;
    for (int i = 0; i < 5; ++i) running.push_back(bench.start(asks(i)));
    GenerationSpec salted = asks(5);
    salted.cache_salt = "mine";
    running.push_back(bench.start(salted));
    for (int i = 0; i < 6; ++i) {
        const Answer answer = running[static_cast<size_t>(i)].answer.get();
        EXPECT_EQ(answer.finish.usage.n_reused, i % 5 ? 192 : 0) << i;  // three pages
        EXPECT_EQ(answer, Bench({.n_pages = 8}).run(asks(i))) << i;
    }
}

std::shared_ptr<const grammar::Constraint> constraint(const char* schema, const grammar::Limits& limits = {}) {
    static const auto masks = std::make_shared<const grammar::MaskCache>(grammar::TokenTrie(fake_tokenizer()));
    const auto json = grammar::Json::parse(schema);
    return std::make_shared<const grammar::Constraint>(
        grammar::compile(grammar::json_schema_answer(json, "schema", grammar::Thoughts::none, limits)), masks);
}

// The model says letters that its tokens before decide; none of them is JSON.
TEST(Engine, AGrammarShapesTheAnswerOfEveryRequestByItself) {
    Bench bench({.n_pages = 40, .n_sequences = 4, .n_ubatch = 16});
    const char* schema = R"({"type": "object", "properties": {"name": {"type": "string", "maxLength": 12}, "ok": {"type": "boolean"}},
                             "required": ["name", "ok"]})";
    std::vector<Bench::Running> running;
    for (uint64_t seed = 0; seed < 8; ++seed) {
        GenerationSpec spec{
            .prompt = {1, 2, static_cast<int32_t>(seed) + 3}, .sampling = {.temperature = 2, .seed = seed}, .max_tokens = 200};
        if (seed % 2 == 0) spec.constraint = constraint(schema);
        if (seed == 4) spec.sampling = {.top_k = 1, .presence_penalty = 1.5};
        running.push_back(bench.start(spec));
    }
    for (size_t i = 0; i < running.size(); ++i) {
        const Answer answer = running[i].answer.get();
        const auto json = grammar::Json::parse(answer.text, nullptr, false);
        EXPECT_EQ(json.is_object(), i % 2 == 0) << answer.text;
        if (i % 2 != 0) continue;
        EXPECT_EQ(answer.finish.reason, FinishReason::stop);
        EXPECT_TRUE(json["name"].is_string() && json["ok"].is_boolean()) << answer.text;
        EXPECT_EQ(answer.text.back(), '}');  // the brace is the last token: nothing can follow it
        EXPECT_FALSE(bench.tokenizer.ends_generation(answer.tokens.back()));
    }
}

TEST(Engine, AGrammarThatGoesOnLeavesTheEndToTheModel) {
    const Tokenizer tokenizer = fake_tokenizer();
    const auto end = static_cast<size_t>(tokenizer.end_of_generation().front());
    const auto seven = static_cast<size_t>(tokenizer.find("7").value());
    // Says 7 twice, then wants to end, which it would like from the beginning.
    Bench bench({.n_pages = 4}, [=](const Tokens& prefix, std::span<float> logits) {
        logits[prefix.size() < 5 ? seven : end] = 9;
        logits[end] += 5;
    });
    const auto integer = constraint(R"({"type": "integer"})");
    const Answer answer = bench.run({.prompt = {1, 2, 3}, .logprobs = 3, .constraint = integer});
    EXPECT_EQ(answer.text, "77");
    EXPECT_EQ(answer.tokens.back(), static_cast<int32_t>(end));
    EXPECT_EQ(answer.finish.reason, FinishReason::stop);
    // Over what may come first, where the end is not: all but 7 have the logit 0.
    const auto n_others = static_cast<double>(integer->mask(integer->start()).size() - 1);
    EXPECT_NEAR(std::exp(answer.logprobs[0][0].logprob), std::exp(9.0) / (std::exp(9.0) + n_others), 1e-6);  // rounding of the logarithms
}

TEST(Engine, AGrammarThatIsTooExpensiveEndsItsRequestAlone) {
    Bench bench({.n_pages = 40, .n_sequences = 2, .n_ubatch = 16});
    grammar::Limits limits;
    limits.match_fuel = 3;
    const auto expensive = constraint(R"({"type": "string"})", limits);
    auto bad = bench.start({.prompt = {1, 2}, .max_tokens = 50, .constraint = expensive});
    auto good = bench.start({.prompt = {1, 2}, .max_tokens = 50});
    const Answer failed = bad.answer.get();
    EXPECT_EQ(failed.finish.reason, FinishReason::error);
    EXPECT_THAT(failed.finish.message, HasSubstr("too many steps"));
    EXPECT_EQ(good.answer.get().finish.reason, FinishReason::length);
}

TEST(Engine, RefusesAGrammarWithoutAnEnd) {
    Bench bench({.n_pages = 4});
    const auto any = constraint("{}");
    EXPECT_THROW(bench.run({.prompt = {1}, .ignore_end = true, .constraint = any}), InputError);
}

TEST(Engine, RefusesAGrammarOfMoreTokensThanTheModelHas) {
    const auto any = constraint("{}");
    const GenerationSpec spec{.prompt = {1}, .constraint = any};
    const auto n_tokens = static_cast<int>(any->n_tokens());
    EXPECT_NO_THROW(GenerationRequest(spec, {.n_vocab = n_tokens, .n_ctx = 10}));
    EXPECT_THROW(GenerationRequest(spec, {.n_vocab = n_tokens - 1, .n_ctx = 10}), InputError);
}

TEST(Engine, ReportsLogprobs) {
    Bench bench({.n_pages = 4});
    const Answer answer = bench.run({.prompt = {1}, .max_tokens = 5, .logprobs = 3});
    ASSERT_EQ(answer.logprobs.size(), 5u);
    for (size_t i = 0; i < 5; ++i) {
        ASSERT_EQ(answer.logprobs[i].size(), 4u);
        EXPECT_EQ(answer.logprobs[i][0].id, answer.tokens[i]);
        EXPECT_EQ(answer.logprobs[i][1].id, answer.tokens[i]) << "greedy takes the best";
        EXPECT_LE(answer.logprobs[i][2].logprob, answer.logprobs[i][1].logprob);
    }
    EXPECT_TRUE(bench.run({.prompt = {1}, .max_tokens = 5}).logprobs.empty());
}

TEST(Engine, RefusesWhatCannotWork) {
    EXPECT_THROW(Bench({.n_pages = 0}).engine(), InputError);
    EXPECT_THROW(Bench({.n_pages = 1, .n_sequences = 0}).engine(), InputError);
    EXPECT_THROW(Bench({.n_pages = 1, .n_sequences = 2, .n_ubatch = 1}).engine(), InputError);
    Bench bench({.n_pages = 1});
    const GenerationRequest too_long({.prompt = prompt(60, 1), .max_tokens = 6}, {.n_vocab = fake_vocab, .n_ctx = 1000});
    try {
        bench.engine().submit(too_long, {});
        FAIL() << "accepted";
    } catch (const InputError& e) {
        EXPECT_THAT(e.what(), HasSubstr("65 positions"));
        EXPECT_THAT(e.what(), HasSubstr("64"));
    }
}

TEST(Engine, TellsAnEndWhenItsPlaceIsFree) {
    Bench bench({.n_pages = 10, .n_sequences = 1});
    std::vector<EngineLoad> loads;  // those that the ends found
    const auto look = [&](const TokenEvent& event) {
        if (event.finish) loads.push_back(bench.engine().load());
    };
    for (int i = 0; i < 50; ++i) bench.start({.prompt = prompt(70, i), .max_tokens = 3}, look).answer.get();
    bench.start({.prompt = prompt(70, 1), .embed = true}, look).answer.get();
    Bench::Running cancelled = bench.start({.prompt = prompt(70, 1), .max_tokens = 300}, look);
    bench.engine().cancel(cancelled.id);
    cancelled.answer.get();
    ASSERT_EQ(loads.size(), 52u);
    for (const EngineLoad& load : loads) {
        EXPECT_EQ(load.n_running + load.n_waiting, 0);
        EXPECT_EQ(load.n_pages_used, 0);
    }
}

TEST(Engine, SurvivesAStormOfCancellations) {
    Bench bench({.n_pages = 10, .n_sequences = 4, .n_ubatch = 16});
    const Answer expected = Bench({.n_pages = 10}).run(babbling(70, 3));
    std::vector<Bench::Running> doomed, honest;
    for (int i = 0; i < 60; ++i) {
        doomed.push_back(bench.start({.prompt = prompt(1 + i * 3, i), .max_tokens = 300}));
        if (i % 10 == 0) honest.push_back(bench.start(babbling(70, 3)));
        bench.engine().cancel(doomed[static_cast<size_t>(i / 2)].id);
    }
    for (const auto& d : doomed) bench.engine().cancel(d.id);
    for (auto& d : doomed) EXPECT_NE(d.answer.get().finish.reason, FinishReason::error);  // some may have come to their end
    for (auto& h : honest) EXPECT_EQ(h.answer.get(), expected);
    EXPECT_EQ(bench.run({.prompt = prompt(600, 1)}).tokens.size(), 40u) << "all pages can be had again";
    const EngineLoad load = bench.engine().load();
    EXPECT_EQ(load.n_running + load.n_waiting, 0);
    EXPECT_EQ(load.n_pages, 10);
    EXPECT_EQ(load.n_pages_used, 0);
}

}  // namespace
}  // namespace kylin
