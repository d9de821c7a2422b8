#include "engine/inbox.h"

#include <gtest/gtest.h>

#include "text/vocabulary_file.h"

namespace kylin {
namespace {

GenerationRequest request() { return GenerationRequest({.prompt = {1}}, {.n_vocab = 10, .n_ctx = 10}); }

RequestId submit(Inbox& inbox, const Tokenizer& tokenizer) {
    const RequestId id = inbox.next_id();
    inbox.submit(std::make_unique<Sequence>(Sequence::Origin{id, request(), {}, {}}, tokenizer));
    return id;
}

TEST(Inbox, HandsOverWhatCameAndNothingTwice) {
    VocabularyFile vocabulary;
    const gguf::File file = vocabulary.open();
    const Tokenizer tokenizer = Tokenizer::load(file);
    Inbox inbox;
    const RequestId a = submit(inbox, tokenizer), b = submit(inbox, tokenizer);
    inbox.cancel(a);
    const Inbox::Mail mail = inbox.take(true);
    ASSERT_EQ(mail.submitted.size(), 2u);
    EXPECT_EQ(mail.submitted[0]->id(), a);
    EXPECT_EQ(mail.submitted[1]->id(), b);
    EXPECT_EQ(mail.cancelled, std::vector<RequestId>{a});
    EXPECT_FALSE(mail.closed);
    const Inbox::Mail empty = inbox.take(false);
    EXPECT_TRUE(empty.submitted.empty() && empty.cancelled.empty());
    inbox.close();
    EXPECT_TRUE(inbox.take(true).closed);
}

TEST(Inbox, AStepIsVoidOnceAllItsRequestsAreCancelled) {
    Inbox inbox;
    const std::atomic<bool>& is_void = inbox.step_is_void();
    inbox.begin_step({1, 2});
    inbox.cancel(1);
    inbox.cancel(3);
    EXPECT_FALSE(is_void);
    inbox.cancel(2);
    EXPECT_TRUE(is_void);

    // Cancelled after the mail was taken, before the step began.
    inbox.take(false);
    inbox.cancel(4);
    inbox.begin_step({4});
    EXPECT_TRUE(is_void);
    inbox.begin_step({4, 5});
    EXPECT_FALSE(is_void);
    inbox.close();
    EXPECT_TRUE(is_void);
}

}  // namespace
}  // namespace kylin
