#include "engine/sequence.h"

#include <numeric>

#include "fake_model.h"

namespace kylin {
namespace {

constexpr RequestLimits limits{fake_vocab, 4096};

Tokens counted(int n) {
    Tokens tokens(static_cast<size_t>(n));
    std::iota(tokens.begin(), tokens.end(), 0);
    for (int32_t& token : tokens) token %= 256;
    return tokens;
}

class WorthWaitingFor : public testing::Test {
protected:
    Sequence running(const Tokens& prompt, int n_reused = 0) {
        Sequence s({1, GenerationRequest({.prompt = prompt}, limits), [](const TokenEvent&) {}, {}}, tokenizer_);
        s.admit({Tokens(prompt.begin(), prompt.begin() + n_reused), PageTable(pool_)});
        return s;
    }

private:
    Tokenizer tokenizer_ = fake_tokenizer();
    PagePool pool_{1};
};

TEST_F(WorthWaitingFor, APromptThatIsMostlyTheSame) {
    EXPECT_TRUE(running(counted(200)).is_worth_waiting_for({.prompt = counted(200)}));
    EXPECT_TRUE(running(counted(200)).is_worth_waiting_for({.prompt = counted(130)}));   // 128 saved for 200
    EXPECT_FALSE(running(counted(200)).is_worth_waiting_for({.prompt = counted(100)}));  // 64
}

TEST_F(WorthWaitingFor, NoPromptThatSharesLessThanAPage) {
    EXPECT_TRUE(running(counted(65)).is_worth_waiting_for({.prompt = counted(65)}));
    EXPECT_FALSE(running(counted(64)).is_worth_waiting_for({.prompt = counted(64)}));  // its last token is run for its logits
    EXPECT_FALSE(running(counted(60)).is_worth_waiting_for({.prompt = counted(60)}));
    Tokens other = counted(200);
    other[63] = 300;
    EXPECT_FALSE(running(counted(200)).is_worth_waiting_for({.prompt = other}));
}

TEST_F(WorthWaitingFor, NothingThatTheCacheHasAlready) {
    EXPECT_TRUE(running(counted(200), 64).is_worth_waiting_for({.prompt = counted(200)}));
    EXPECT_FALSE(running(counted(200), 192).is_worth_waiting_for({.prompt = counted(200)}));
}

TEST_F(WorthWaitingFor, NothingUnderAnotherSaltNorOnceTheAnswerHasBegun) {
    EXPECT_FALSE(running(counted(200)).is_worth_waiting_for({.prompt = counted(200), .cache_salt = "mine"}));
    Sequence begun = running(counted(200));
    begun.advance(200);
    begun.accept(5, {});
    EXPECT_FALSE(begun.is_worth_waiting_for({.prompt = counted(200)}));
}

TEST_F(WorthWaitingFor, TheLessIsLeftTheMore) {
    Sequence s = running(counted(200));
    s.advance(100);
    EXPECT_TRUE(s.is_worth_waiting_for({.prompt = counted(100)}));
}

}  // namespace
}  // namespace kylin
