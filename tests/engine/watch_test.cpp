// Watching a request shows its own values and nobody else's, and changes no bit of any answer.
#include "engine/watch.h"

#include <cmath>
#include <future>
#include <gtest/gtest.h>
#include <limits>

#include "engine/engine.h"
#include "fake_model.h"
#include "numerics/make.h"
#include "parity/drive.h"
#include "parity/probes.h"
#include "support/tiny_model.h"

namespace kylin {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
constexpr int n_answer = 12;

struct Answer {
    Tokens tokens;
    std::vector<double> logprobs;
    Usage usage;
    std::shared_ptr<const Activations> activations;
};

std::future<Answer> ask(Engine& engine, GenerationSpec spec) {
    auto promise = std::make_shared<std::promise<Answer>>();
    auto answer = std::make_shared<Answer>();
    engine.submit(GenerationRequest(std::move(spec), {TinyModel::n_vocab, TinyModel::n_ctx}), [=](const TokenEvent& event) {
        if (event.token) answer->tokens.push_back(*event.token), answer->logprobs.push_back(event.logprobs.at(0).logprob);
        if (!event.finish) return;
        answer->usage = event.finish->usage;
        answer->activations = event.finish->activations;
        promise->set_value(*answer);
    });
    return promise->get_future();
}

std::future<Answer> ask(Engine& engine, const Tokens& prompt, bool watch) {
    return ask(engine, {.prompt = prompt, .max_tokens = n_answer, .ignore_end = true, .logprobs = 0, .watch = watch});
}

// The same stages of a plain run, one sequence alone. `first_output` on, rows go all the way.
struct Largest : parity::StepProbe {
    explicit Largest(int from) : first_output(from) {}
    bool wants(Stage s, int) const override { return !parity::is_square(s); }
    bool visit(const Visit& v) override {
        const bool behind_attention = v.layer == TinyModel::n_layer - 1 && v.stage >= Stage::attn_out;
        for (int r = 0; r < v.rows; ++r) {
            if ((behind_attention || v.stage >= Stage::final_norm) && first_token() + r < first_output) continue;
            double& largest = found[trace_name(v.stage, v.layer)];
            for (const double x : v.values.subspan(static_cast<size_t>(r * v.width), static_cast<size_t>(v.width)))
                largest = std::max(largest, std::fabs(x));
        }
        return false;
    }
    int first_output;
    std::map<std::string, double> found;
};

std::map<std::string, double> driven(const TinyModel& tiny, const Tokens& prompt) {
    const parity::Run run{*tiny.model, prompt, static_cast<int>(prompt.size()), n_answer - 1};  // the last token of an answer never runs
    const auto math = make_numerics(*tiny.model, {.n_pages = parity::pages_for(parity::n_tokens(run)), .n_threads = 1});
    Largest probe(run.n_prompt - 1);
    parity::drive(*math, run, &probe);
    return probe.found;
}

std::map<std::string, double> largest_of(const Activations& activations) {
    std::map<std::string, double> found;
    for (size_t s = 0; s < n_stages; ++s) {
        const auto cells = activations.of(static_cast<Stage>(s));
        for (size_t layer = 0; layer < cells.size(); ++layer) {
            EXPECT_EQ(cells[layer].nan + cells[layer].inf, 0u);
            found[trace_name(static_cast<Stage>(s), static_cast<int>(layer))] = cells[layer].largest;
        }
    }
    return found;
}

Tokens prompt_of(int i) {
    Tokens prompt;
    for (int j = 0; j < 3 + 40 * i; ++j) prompt.push_back((j * 37 + i * 101) % TinyModel::n_vocab);
    return prompt;
}

TEST(Watch, ShowsEachRequestItsOwnValues) {
    const TinyModel tiny = make_tiny_model({.type = BlockType::q8_0});
    const Tokenizer tokenizer = fake_tokenizer();
    for (const int n_ubatch : {5, 64, 512}) {
        const auto math = make_numerics(*tiny.model, {.n_pages = 20, .n_threads = 2});
        Engine engine({*tiny.model, *math, tokenizer}, {.n_pages = 20, .n_sequences = 5, .n_ubatch = n_ubatch});
        std::vector<std::future<Answer>> answers;
        for (int i = 0; i < 5; ++i) answers.push_back(ask(engine, prompt_of(i), i % 2 == 0));
        for (int i = 0; i < 5; ++i) {
            const Answer answer = answers[static_cast<size_t>(i)].get();
            ASSERT_EQ(answer.activations != nullptr, i % 2 == 0);
            if (!answer.activations) continue;
            EXPECT_EQ(largest_of(*answer.activations), driven(tiny, prompt_of(i))) << "request " << i << ", " << n_ubatch << " rows a step";
        }
    }
}

TEST(Watch, ChangesNoBit) {
    const TinyModel tiny = make_tiny_model({.type = BlockType::q4_k});
    const Tokenizer tokenizer = fake_tokenizer();
    std::vector<Answer> seen[2];
    for (const bool watch : {false, true}) {
        const auto math = make_numerics(*tiny.model, {.n_pages = 20, .n_threads = 2});
        Engine engine({*tiny.model, *math, tokenizer}, {.n_pages = 20, .n_sequences = 5, .n_ubatch = 33});
        std::vector<std::future<Answer>> answers;
        for (int i = 0; i < 5; ++i) answers.push_back(ask(engine, prompt_of(i), watch && i != 3));
        for (auto& answer : answers) seen[watch].push_back(answer.get());
    }
    for (size_t i = 0; i < 5; ++i) {
        EXPECT_EQ(seen[0][i].tokens, seen[1][i].tokens);
        EXPECT_EQ(seen[0][i].logprobs, seen[1][i].logprobs);
    }
}

TEST(Watch, ShowsNothingOfWrongGuesses) {
    const TinyModel tiny = make_tiny_model({.type = BlockType::q8_0});
    const Tokenizer tokenizer = fake_tokenizer();
    // Strongly biased, a random model repeats itself, and is guessed now right and now wrong.
    GenerationSpec spec{.prompt = prompt_of(0), .max_tokens = 60, .ignore_end = true, .logprobs = 0};
    spec.sampling = {.temperature = 1, .logit_bias = {{5, 9.0f}, {6, 6.0f}}, .seed = 1};
    const auto run = [&](int n_draft, bool watch) {
        const auto math = make_numerics(*tiny.model, {.n_pages = 4, .n_threads = 1});
        Engine engine({*tiny.model, *math, tokenizer}, {.n_pages = 4, .n_draft = n_draft});
        spec.watch = watch;
        return ask(engine, spec).get();
    };
    const Answer plain = run(0, true), guessed = run(7, false), watched = run(7, true);
    ASSERT_GT(guessed.usage.n_drafted, guessed.usage.n_accepted);
    EXPECT_EQ(watched.tokens, guessed.tokens);
    EXPECT_EQ(largest_of(*watched.activations), largest_of(*plain.activations));
}

// What is not finite is counted at its place, and the rest still has a largest value, wherever it stands among the lanes.
TEST(Activations, CountWhatIsNotFinite) {
    for (const size_t n : {1u, 7u, 8u, 9u, 40u})
        for (size_t at = 0; at < n; ++at) {
            std::vector<double> values(n, -2.0);
            Activations finite, bad;
            values[at] = -5;
            finite.add(Stage::ffn_down, 3, values);
            EXPECT_EQ(finite.of(Stage::ffn_down)[3].largest, 5);
            values[at] = at % 2 ? nan : -inf;
            bad.add(Stage::ffn_down, 3, values);
            const Activations::Cell& cell = bad.of(Stage::ffn_down)[3];
            EXPECT_EQ(cell.largest, n == 1 ? -1 : 2);
            EXPECT_EQ(cell.nan, at % 2);
            EXPECT_EQ(cell.inf, 1 - at % 2);
            finite.add(bad);
            EXPECT_EQ(finite.of(Stage::ffn_down)[3].largest, 5);
            EXPECT_EQ(finite.of(Stage::ffn_down)[3].nan, at % 2);
        }
    EXPECT_TRUE(Activations().of(Stage::logits).empty());
}

}  // namespace
}  // namespace kylin
