// Small vocabularies whose tokens a hand can check.
#include "text/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "base/error.h"
#include "text/unicode.h"
#include "vocabulary_file.h"

namespace kylin {
namespace {

using ::testing::ElementsAre;
using Ids = std::vector<int32_t>;

constexpr int32_t control = 3, user_defined = 4, unused = 5, byte_type = 6;
constexpr int32_t first_merge = 256;

TEST(Tokenizer, MergesByRankThenFromTheLeft) {
    VocabularyFile source({"a b", "b c", "ab c", "a a"});
    const gguf::File file = source.open();
    const Tokenizer tokenizer = Tokenizer::load(file);
    EXPECT_THAT(tokenizer.encode("abc", Special::text), ElementsAre(first_merge + 2));
    EXPECT_THAT(tokenizer.encode("bc", Special::text), ElementsAre(first_merge + 1));
    EXPECT_THAT(tokenizer.encode("aab", Special::text), ElementsAre('a', first_merge));
    EXPECT_THAT(tokenizer.encode("aaa", Special::text), ElementsAre(first_merge + 3, 'a'));
    EXPECT_THAT(tokenizer.encode("", Special::text), ElementsAre());
}

TEST(Tokenizer, OnlyMergesMakeTokens) {
    VocabularyFile source({"a b"});
    source.tokens().push_back("xyz");
    source.types().push_back(1);
    const gguf::File file = source.open();
    EXPECT_THAT(Tokenizer::load(file).encode("xyz", Special::text), ElementsAre('x', 'y', 'z'));
}

// "a b" is offered first and "b c" taken before it; "a bc" then stands at the same place, but its turn comes after "bc d".
TEST(Tokenizer, AMergeWhoseRightSideWentElsewhereIsForgotten) {
    VocabularyFile source({"b c", "a b", "bc d", "a bc"});
    const gguf::File file = source.open();
    EXPECT_THAT(Tokenizer::load(file).encode("abcd", Special::text), ElementsAre('a', first_merge + 2));
}

TEST(Tokenizer, TheFirstOfTwoEqualMergesCounts) {
    VocabularyFile source({"a b", "b c"});
    source.merges().push_back("a b");
    const gguf::File file = source.open();
    EXPECT_THAT(Tokenizer::load(file).encode("abc", Special::text), ElementsAre(first_merge, 'c'));
}

TEST(Tokenizer, SpecialTokensOnlyWhenAsked) {
    VocabularyFile source({}, {{"<|end|>", control}, {"<|end|>x", user_defined}, {"<t>", user_defined}});
    const gguf::File file = source.open();
    const Tokenizer tokenizer = Tokenizer::load(file);
    EXPECT_THAT(tokenizer.encode("a<|end|>b<t>", Special::parse), ElementsAre('a', 256, 'b', 258));
    EXPECT_THAT(tokenizer.encode("<|end|>xy", Special::parse), ElementsAre(257, 'y'));
    EXPECT_THAT(tokenizer.encode("<t>", Special::text), ElementsAre('<', 't', '>'));
    EXPECT_THAT(tokenizer.encode("<|end|", Special::parse), ElementsAre('<', '|', 'e', 'n', 'd', '|'));
}

TEST(Tokenizer, SegmentsMergeAcrossBordersButSpecialTokensDoNot) {
    VocabularyFile source({"a b"}, {{"<t>", control}});
    const gguf::File file = source.open();
    const Tokenizer tokenizer = Tokenizer::load(file);
    const Segment borders[] = {{"x<t>a", Special::parse}, {"b<t>", Special::text}, {"<", Special::parse}, {"t>", Special::text}};
    EXPECT_THAT(tokenizer.encode(borders), ElementsAre('x', 257, 256, '<', 't', '>', '<', 't', '>'));
    const Segment halves[] = {{"<t", Special::parse}, {"", Special::text}, {">", Special::parse}};
    EXPECT_THAT(tokenizer.encode(halves), ElementsAre(257));
}

TEST(Tokenizer, ComposesUnlessTold) {
    VocabularyFile source;
    const gguf::File file = source.open();
    EXPECT_EQ(Tokenizer::load(file).encode("e\u0301", Special::text), (Ids{0xC3, 0xA9}));
    EXPECT_EQ(Tokenizer::load(file, Normalization::none).encode("e\u0301", Special::text), (Ids{'e', 0xCC, 0x81}));
}

TEST(Tokenizer, DecodesWhatTokensStandFor) {
    VocabularyFile source({}, {{"<|é|>", control}, {"[PAD]", unused}, {"<0xE4>", byte_type}, {"not visible", 1}});
    const gguf::File file = source.open();
    const Tokenizer tokenizer = Tokenizer::load(file);
    EXPECT_EQ(tokenizer.decode(Ids{'a', ' ', 256, '\n'}), "a <|é|>\n");
    EXPECT_EQ(tokenizer.decode(Ids{257}), "");
    EXPECT_EQ(tokenizer.decode(Ids{258, 0xBD, 0xA0}), "你");
    EXPECT_EQ(tokenizer.decode(Ids{0xFF}), "\uFFFD");
    EXPECT_EQ(tokenizer.decode(Ids{259}), "not visible");
    EXPECT_THROW(tokenizer.decode(Ids{-1}), InputError);
    EXPECT_THROW(tokenizer.decode(Ids{260}), InputError);
}

TEST(Tokenizer, DecodeUndoesEncode) {
    VocabularyFile source({"a b", "ab a", "\u0120 a", "t h", "th e"}, {{"<t>", control}});
    const gguf::File file = source.open();
    const Tokenizer tokenizer = Tokenizer::load(file, Normalization::none);
    EXPECT_TRUE(rc::check([&](const std::string& bytes) {
        for (const Special special : {Special::parse, Special::text})
            RC_ASSERT(tokenizer.decode(tokenizer.encode(bytes, special)) == to_valid_utf8(bytes));
    }));
    EXPECT_TRUE(rc::check([&] {
        const auto ids = *rc::gen::container<Ids>(rc::gen::inRange(0, tokenizer.n_tokens()));
        RC_ASSERT(tokenizer.decode(ids) == to_valid_utf8(tokenizer.decode(ids)));
    }));
}

TEST(Tokenizer, KeepsNulAndReplacesBrokenBytes) {
    VocabularyFile source;
    const gguf::File file = source.open();
    const Tokenizer tokenizer = Tokenizer::load(file);
    EXPECT_EQ(tokenizer.encode(std::string_view("a\0b", 3), Special::text), (Ids{'a', 0, 'b'}));
    EXPECT_EQ(tokenizer.encode("\xFF", Special::text), (Ids{0xEF, 0xBF, 0xBD}));
}

TEST(Tokenizer, FindsTokensAndKnowsTheirKind) {
    VocabularyFile source({"\u0120 a"}, {{"<|im_end|>", control}, {"<think>", user_defined}});
    const gguf::File file = source.open();
    const Tokenizer tokenizer = Tokenizer::load(file);
    EXPECT_EQ(tokenizer.n_tokens(), 259);
    EXPECT_EQ(tokenizer.find("\u0120a"), 256);
    EXPECT_EQ(tokenizer.find("absent"), std::nullopt);
    EXPECT_EQ(tokenizer.bytes(256), " a");
    EXPECT_TRUE(tokenizer.is_control(257));
    EXPECT_FALSE(tokenizer.is_control(258));
    EXPECT_TRUE(tokenizer.is_special(258));
    EXPECT_FALSE(tokenizer.is_special('a'));
}

TEST(Tokenizer, EndsGenerationAtEveryEndToken) {
    VocabularyFile source({}, {{"<|im_end|>", control}, {"<|endoftext|>", control}, {"<eot>", control}});
    source.set("tokenizer.ggml.eos_token_id", uint32_t{256});
    source.set("tokenizer.ggml.eot_token_id", uint32_t{258});
    const gguf::File file = source.open();
    const Tokenizer tokenizer = Tokenizer::load(file);
    EXPECT_EQ(tokenizer.eos(), 256);
    EXPECT_THAT(tokenizer.end_of_generation(), ElementsAre(256, 257, 258));
    EXPECT_TRUE(tokenizer.ends_generation(257));
    EXPECT_FALSE(tokenizer.ends_generation('a'));
}

TEST(Tokenizer, AnEndTextThatIsAnOrdinaryTokenEndsNothing) {
    VocabularyFile source({}, {{"<|endoftext|>", 1}});
    const gguf::File file = source.open();
    EXPECT_TRUE(Tokenizer::load(file).end_of_generation().empty());
}

TEST(Tokenizer, AddsBosOnlyWhenTheFileSaysSo) {
    VocabularyFile source({}, {{"<s>", control}});
    source.set("tokenizer.ggml.bos_token_id", uint32_t{256});
    {
        const gguf::File file = source.open();
        EXPECT_FALSE(Tokenizer::load(file).adds_bos());
    }
    source.set("tokenizer.ggml.add_bos_token", true);
    const gguf::File file = source.open();
    EXPECT_TRUE(Tokenizer::load(file).adds_bos());
    EXPECT_EQ(Tokenizer::load(file).bos(), 256);
}

TEST(Tokenizer, AddsEosOnlyWhenTheFileSaysSo) {
    VocabularyFile source({}, {{"</s>", control}});
    {
        source.set("tokenizer.ggml.add_eos_token", true);
        const gguf::File file = source.open();
        EXPECT_THROW(Tokenizer::load(file), InputError);
    }
    source.set("tokenizer.ggml.eos_token_id", uint32_t{256});
    const gguf::File file = source.open();
    EXPECT_TRUE(Tokenizer::load(file).adds_eos());
    EXPECT_FALSE(Tokenizer::load(file).adds_bos());
}

}  // namespace
}  // namespace kylin
