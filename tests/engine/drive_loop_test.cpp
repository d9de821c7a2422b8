// The promise of the engine: its logits and embeddings are those of the plain drive loop, bit for bit, whatever the company, the chunks,
// the threads, and what is still in the cache.
#include <future>
#include <gtest/gtest.h>

#include "engine/engine.h"
#include "fake_model.h"
#include "numerics/make.h"
#include "parity/drive.h"
#include "support/tiny_model.h"

namespace kylin {
namespace {

constexpr int n_answer = 20, n_best = 20;

struct Rows : parity::StepProbe {
    explicit Rows(Stage of) : stage(of) {}
    bool wants(Stage s, int) const override { return s == stage; }
    bool visit(const Visit& v) override {
        for (int r = 0; r < v.rows; ++r) {
            const auto row = v.values.subspan(static_cast<size_t>(r * v.width), static_cast<size_t>(v.width));
            rows.emplace_back(row.begin(), row.end());
        }
        return false;
    }
    Stage stage;
    std::vector<std::vector<float>> rows;
};

struct Answer {
    Tokens tokens;
    std::vector<std::vector<double>> logprobs;  // a function of the logits that differs when any of the best ones does, or their sum
    bool operator==(const Answer&) const = default;
};

std::vector<double> values_of(const std::vector<TokenLogprob>& logprobs) {
    std::vector<double> values;
    for (const auto& [id, logprob] : logprobs) values.insert(values.end(), {static_cast<double>(id), logprob});
    return values;
}

Answer driven(const TinyModel& tiny, const Tokens& prompt) {
    const parity::Run run{*tiny.model, prompt, static_cast<int>(prompt.size()), n_answer};
    const auto math = make_numerics(*tiny.model, {.n_pages = parity::pages_for(parity::n_tokens(run)), .n_threads = 1, .isa = {}});
    Rows logits(Stage::logits);
    const Tokens all = parity::drive(*math, run, &logits);
    Answer answer{{all.begin() + run.n_prompt, all.end()}, {}};
    for (size_t i = 0; i < answer.tokens.size(); ++i)
        answer.logprobs.push_back(values_of(logprobs_of(logits.rows[prompt.size() - 1 + i], answer.tokens[i], n_best)));
    return answer;
}

std::vector<float> driven_embedding(const TinyModel& tiny, const Tokens& prompt) {
    const parity::Run run{*tiny.model, prompt, static_cast<int>(prompt.size())};
    const auto math = make_numerics(*tiny.model, {.n_pages = parity::pages_for(parity::n_tokens(run)), .n_threads = 1, .isa = {}});
    Rows hidden(Stage::final_norm);
    parity::drive(*math, run, &hidden);
    return hidden.rows.back();
}

std::future<std::vector<float>> embed(Engine& engine, const Tokens& prompt) {
    auto promise = std::make_shared<std::promise<std::vector<float>>>();
    engine.submit(GenerationRequest({.prompt = prompt, .embed = true}, {TinyModel::n_vocab, TinyModel::n_ctx}),
                  [=](const TokenEvent& event) {
                      EXPECT_TRUE(event.finish && !event.token);
                      EXPECT_EQ(event.finish->usage.n_answer, 0);
                      promise->set_value(event.embedding);
                  });
    return promise->get_future();
}

std::future<Answer> ask(Engine& engine, const Tokens& prompt) {
    GenerationSpec spec{.prompt = prompt, .max_tokens = n_answer, .ignore_end = true, .logprobs = n_best};
    auto promise = std::make_shared<std::promise<Answer>>();
    auto answer = std::make_shared<Answer>();
    engine.submit(GenerationRequest(std::move(spec), {TinyModel::n_vocab, TinyModel::n_ctx}), [=](const TokenEvent& event) {
        if (event.token) answer->tokens.push_back(*event.token), answer->logprobs.push_back(values_of(event.logprobs));
        if (event.finish) promise->set_value(*answer);
    });
    return promise->get_future();
}

class DriveLoop : public testing::TestWithParam<BlockType> {};

TEST_P(DriveLoop, AndEngineGiveTheSameLogits) {
    const TinyModel tiny = make_tiny_model({.type = GetParam()});
    std::vector<Tokens> prompts;
    std::vector<Answer> expected;
    std::vector<std::vector<float>> expected_embeddings;
    for (const int n : {1, 2, 15, 16, 63, 64, 65, 130}) {
        Tokens& prompt = prompts.emplace_back();
        for (int i = 0; i < n; ++i) prompt.push_back((i * 37 + n * 101) % TinyModel::n_vocab);
        expected.push_back(driven(tiny, prompt));
        expected_embeddings.push_back(driven_embedding(tiny, prompt));
    }
    const Tokenizer tokenizer = fake_tokenizer();
    struct Setup {
        int n_sequences, n_ubatch, n_threads;
    };
    for (const Setup& s : {Setup{1, 1, 1}, Setup{1, 7, 2}, Setup{3, 33, 4}, Setup{8, 8, 3}, Setup{8, 512, 2}}) {
        const int n_pages = 4 * s.n_sequences;
        const auto math = make_numerics(*tiny.model, {.n_pages = n_pages, .n_threads = s.n_threads, .isa = {}});
        Engine engine({*tiny.model, *math, tokenizer}, {.n_pages = n_pages, .n_sequences = s.n_sequences, .n_ubatch = s.n_ubatch});
        for (const char* round : {"from an empty cache", "again"}) {
            std::vector<std::future<Answer>> answers;
            std::vector<std::future<std::vector<float>>> embeddings;
            for (const Tokens& prompt : prompts) answers.push_back(ask(engine, prompt)), embeddings.push_back(embed(engine, prompt));
            for (size_t i = 0; i < prompts.size(); ++i) {
                SCOPED_TRACE(testing::Message() << "prompt of " << prompts[i].size() << ", " << s.n_sequences << " sequences, ubatch "
                                                << s.n_ubatch << ", " << round);
                EXPECT_EQ(answers[i].get(), expected[i]);
                EXPECT_EQ(embeddings[i].get(), expected_embeddings[i]);
            }
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Types, DriveLoop, testing::Values(BlockType::f32, BlockType::q8_0, BlockType::q4_k),
                         [](const auto& type) { return std::string(kylin::info(type.param).name); });

}  // namespace
}  // namespace kylin
