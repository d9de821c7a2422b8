// The nth allocation fails, for every n: whoever asked is told so, nothing leaks, and the next one is served.
#include <atomic>
#include <gtest/gtest.h>
#include <new>

#include "engine/engine.h"
#include "failing_new.h"
#include "numerics/make.h"
#include "support/tiny_model.h"
#include "text/chat_template.h"
#include "words.h"

namespace kylin {
namespace {

using testing::FailingAllocation;
using testing::n_allocated;

// The number of allocations that `work` makes, each of which has failed once.
template <class Work>
long fail_each(Work work) {
    work();  // makes what is made once
    for (long n = 1;; ++n) {
        const long before = n_allocated();
        bool happened = false;
        {
            const FailingAllocation failing(n);
            try {
                work();
            } catch (const std::bad_alloc&) {
            }
            happened = failing.happened();
        }
        EXPECT_EQ(n_allocated(), before) << "after allocation " << n << " failed";
        if (!happened || ::testing::Test::HasFailure()) return n - 1;
    }
}

TEST(AllocationFailure, WhileAModelIsLoaded) {
    const std::vector<std::byte> bytes = tiny_model_bytes({.type = BlockType::q8_0});
    const long n = fail_each([&] {
        const gguf::File file = gguf::File::parse(bytes);
        const auto model = Model::load(file);
        make_numerics(*model, {.n_pages = 2, .n_threads = 3, .isa = {}});
    });
    EXPECT_GT(n, 100);
}

TEST(AllocationFailure, WhileAVocabularyIsLoadedAndTextIsEncoded) {
    const Words words;
    const Tokenizer whole = Tokenizer::load(words.file);
    const std::string text = "What <300> is \xC3\xA9\xF0\x9F\x98\x80?";
    const auto expected = whole.encode(text, Special::parse);
    const long n = fail_each([&] {
        const Tokenizer tokenizer = Tokenizer::load(words.file);
        const auto ids = tokenizer.encode(text, Special::parse);
        EXPECT_EQ(ids, expected);
        EXPECT_EQ(tokenizer.decode(ids), text);
    });
    EXPECT_GT(n, 30);  // 40 were seen: what many tokens need is reserved in one go
}

TEST(AllocationFailure, WhileAConversationIsRendered) {
    // Made once: nlohmann::json leaks when it runs out of memory while it is made of a list in braces, as the template's constructor does.
    const ChatTemplate chat("{% for m in messages %}{{ '<' ~ m.role | upper ~ '>' ~ m['content'] | trim }}{% endfor %}{{ tools | tojson }}",
                            "<s>", "</s>");
    Conversation conversation;
    conversation.messages.push_back({{"role", "user"}, {"content", " a long enough text to be allocated "}});
    conversation.tools = Conversation::Json::array({{{"name", "f"}}});
    std::string expected;
    const long n = fail_each([&] {
        std::string text;
        for (const Segment& s : chat.render(conversation)) text += s.text;
        if (expected.empty()) expected = text;
        EXPECT_EQ(text, expected);
    });
    EXPECT_GT(n, 20);
}

struct Answer {
    std::atomic<int> n_tokens = 0, sum = 0;
    std::atomic<bool> failed = false, done = false;
};

void ask(Engine& engine, Answer& answer) {
    engine.submit(GenerationRequest({.prompt = {5, 6, 7, 8}, .max_tokens = 6, .ignore_end = true}, {TinyModel::n_vocab, TinyModel::n_ctx}),
                  [&answer](const TokenEvent& event) {
                      if (event.token) ++answer.n_tokens, answer.sum += *event.token;
                      if (!event.finish) return;
                      answer.failed = event.finish->reason == FinishReason::error;
                      answer.done = true;
                      answer.done.notify_all();
                  });
    answer.done.wait(false);
}

TEST(AllocationFailure, WhileARequestIsAnswered) {
    const TinyModel tiny = make_tiny_model({.type = BlockType::q8_0});
    const Words words;
    const Tokenizer tokenizer = Tokenizer::load(words.file);
    int expected = -1, n_failed = 0;
    const auto work = [&] {
        const auto math = make_numerics(*tiny.model, {.n_pages = 2, .n_threads = 2, .isa = {}});
        Answer first, second;  // the engine's thread may still tell of them
        Engine engine({*tiny.model, *math, tokenizer}, {.n_pages = 2});
        ask(engine, first);
        if (expected < 0) expected = first.sum;
        EXPECT_TRUE(first.failed || first.sum == expected);
        n_failed += first.failed;
        if (!first.failed) return;
        ask(engine, second);
        EXPECT_FALSE(second.failed);
        EXPECT_EQ(second.sum, expected);
        EXPECT_EQ(second.n_tokens, 6);
    };
    const long n = fail_each(work);
    EXPECT_GT(n, 100);
    EXPECT_GT(n_failed, 10);  // inside the engine, where the answer carries the news
}

}  // namespace
}  // namespace kylin
