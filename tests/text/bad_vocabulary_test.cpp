// Every way in which the metadata of a vocabulary can be wrong, and the key that the error names.
#include <functional>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "text/tokenizer.h"
#include "vocabulary_file.h"

namespace kylin {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr const char *model = "tokenizer.ggml.model", *pre = "tokenizer.ggml.pre", *tokens = "tokenizer.ggml.tokens",
                     *types = "tokenizer.ggml.token_type", *merges = "tokenizer.ggml.merges", *scores = "tokenizer.ggml.scores",
                     *eos = "tokenizer.ggml.eos_token_id";

std::string error_of(const std::function<void(VocabularyFile&)>& spoil) {
    VocabularyFile source({"a b"}, {{"<t>", 3}});
    spoil(source);
    const gguf::File file = source.open();
    try {
        Tokenizer::load(file);
    } catch (const InputError& e) {
        return e.what();
    }
    return "no error";
}

TEST(BadVocabulary, TheUnspoiledOneLoads) {
    EXPECT_EQ(error_of([](VocabularyFile&) {}), "no error");
}

TEST(BadVocabulary, MissingKeys) {
    for (const char* key : {model, pre, tokens, merges})
        EXPECT_THAT(error_of([&](auto& s) { s.remove(key); }), AllOf(HasSubstr(key), HasSubstr("missing"))) << key;
}

TEST(BadVocabulary, TypesAreOptional) {
    EXPECT_EQ(error_of([](auto& s) { s.remove(types); }), "no error");
}

TEST(BadVocabulary, KeysOfAnotherType) {
    for (const char* key : {model, pre, tokens, types, merges, scores, eos, "tokenizer.ggml.add_bos_token"})
        EXPECT_THAT(error_of([&](auto& s) { s.set(key, gguf::Array(std::vector<bool>{true})); }), HasSubstr(key)) << key;
    EXPECT_THAT(error_of([](auto& s) { s.set(scores, gguf::Array(std::vector<std::string>(258, "1"))); }), HasSubstr(scores));
}

TEST(BadVocabulary, UnknownKindsAreNamed) {
    EXPECT_THAT(error_of([](auto& s) { s.set(model, std::string("llama")); }), AllOf(HasSubstr(model), HasSubstr("\"llama\"")));
    EXPECT_THAT(error_of([](auto& s) { s.set(pre, std::string("gpt-2")); }),
                AllOf(HasSubstr(pre), HasSubstr("\"gpt-2\""), HasSubstr("qwen2")));
}

TEST(BadVocabulary, ArraysOfDifferentLength) {
    EXPECT_THAT(error_of([](auto& s) { s.types().pop_back(); }), AllOf(HasSubstr(types), HasSubstr("257 elements for 258 tokens")));
    EXPECT_THAT(error_of([](auto& s) { s.tokens().pop_back(); }), HasSubstr(types));
    EXPECT_THAT(error_of([](auto& s) { s.set(scores, gguf::Array(std::vector<float>(3))); }),
                AllOf(HasSubstr(scores), HasSubstr("3 elements")));
}

TEST(BadVocabulary, EmptyVocabulary) {
    EXPECT_THAT(error_of([](auto& s) { s.tokens().clear(); }), AllOf(HasSubstr(tokens), HasSubstr("empty")));
}

TEST(BadVocabulary, ASingleToken) {
    EXPECT_THAT(error_of([](auto& s) {
                    s.tokens() = {"x"};
                    s.types() = {1};
                }),
                AllOf(HasSubstr(tokens), HasSubstr("byte 0")));
}

TEST(BadVocabulary, DuplicateTokens) {
    EXPECT_THAT(error_of([](auto& s) { s.tokens()[256] = "a"; }), AllOf(HasSubstr(tokens), HasSubstr("97 and 256"), HasSubstr("\"a\"")));
}

TEST(BadVocabulary, EmptyTokensAreFillers) {
    EXPECT_EQ(error_of([](auto& s) {
                  s.tokens().insert(s.tokens().end(), 2, "");
                  s.types().insert(s.types().end(), 2, 3);
              }),
              "no error");
}

TEST(BadVocabulary, AByteWithoutToken) {
    EXPECT_THAT(error_of([](auto& s) { s.tokens()['z'] = "zz"; }), AllOf(HasSubstr(tokens), HasSubstr("byte 122")));
    EXPECT_EQ(error_of([](auto& s) { s.tokens()[0xFF] = "not utf-8"; }), "no error");  // no text has that byte
}

TEST(BadVocabulary, UnknownTokenTypes) {
    EXPECT_THAT(error_of([](auto& s) { s.types()[0] = 7; }), AllOf(HasSubstr(types), HasSubstr("7")));
    EXPECT_THAT(error_of([](auto& s) { s.types()[0] = -1; }), AllOf(HasSubstr(types), HasSubstr("-1")));
}

TEST(BadVocabulary, BrokenByteTokens) {
    for (const char* text : {"<0x-1>", "<0xZZ>", "<0x1>", "<0x123>", "<0X12>", "0x12"})
        EXPECT_THAT(error_of([&](auto& s) {
                        s.tokens()[257] = text;
                        s.types()[257] = 6;
                    }),
                    AllOf(HasSubstr(tokens), HasSubstr(text)));
}

TEST(BadVocabulary, SpecialTokensOfAbsurdLength) {
    EXPECT_THAT(error_of([](auto& s) { s.tokens()[257] = std::string(1000, 'x'); }), AllOf(HasSubstr(tokens), HasSubstr("1000 bytes")));
}

TEST(BadVocabulary, MergesThatAreNoMerges) {
    for (const std::string merge : {"", "ab", " ", "a ", " a"})
        EXPECT_THAT(error_of([&](auto& s) { s.merges().push_back(merge); }),
                    AllOf(HasSubstr(merges), HasSubstr("merge 1 \"" + merge + "\" is not two tokens")));
    EXPECT_THAT(error_of([&](auto& s) { s.merges().push_back("a  "); }),
                AllOf(HasSubstr("merge 1"), HasSubstr("\" \", which is no token")));
}

TEST(BadVocabulary, MergesOfUnknownTokens) {
    EXPECT_THAT(error_of([](auto& s) { s.merges().push_back("qq a"); }), AllOf(HasSubstr(merges), HasSubstr("\"qq\"")));
    EXPECT_THAT(error_of([](auto& s) { s.merges().push_back("a qq"); }), AllOf(HasSubstr(merges), HasSubstr("\"qq\"")));
    EXPECT_THAT(error_of([](auto& s) { s.merges().push_back("b a"); }), AllOf(HasSubstr(merges), HasSubstr("\"ba\"")));
    EXPECT_THAT(error_of([](auto& s) { s.merges().push_back("a b c"); }), AllOf(HasSubstr(merges), HasSubstr("\"b c\"")));
}

// Every merge makes a longer token, so merges cannot form a circle; the nearest thing is refused as unknown.
TEST(BadVocabulary, CyclicMerges) {
    EXPECT_THAT(error_of([](auto& s) { s.merges().push_back("ab ab"); }), HasSubstr("\"abab\""));
}

TEST(BadVocabulary, SpecialIdsOutOfRange) {
    for (const char* key : {eos, "tokenizer.ggml.bos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.padding_token_id",
                            "tokenizer.ggml.unknown_token_id", "tokenizer.ggml.fim_pre_token_id"}) {
        EXPECT_THAT(error_of([&](auto& s) { s.set(key, uint32_t{258}); }), AllOf(HasSubstr(key), HasSubstr("258")));
        EXPECT_THAT(error_of([&](auto& s) { s.set(key, int32_t{-1}); }), AllOf(HasSubstr(key), HasSubstr("-1")));
        EXPECT_EQ(error_of([&](auto& s) { s.set(key, uint32_t{257}); }), "no error");
    }
}

TEST(BadVocabulary, BosOrEosIsWantedButUnknown) {
    EXPECT_THAT(error_of([](auto& s) { s.set("tokenizer.ggml.add_bos_token", true); }), HasSubstr("bos_token_id is missing"));
    EXPECT_THAT(error_of([](auto& s) { s.set("tokenizer.ggml.add_eos_token", true); }), HasSubstr("eos_token_id is missing"));
}

// A changed bit gives another vocabulary or an InputError, never anything else; sanitizers watch.
TEST(BadVocabulary, AnyChangedByteIsSurvived) {
    VocabularyFile source({"a b", "ab c"}, {{"<t>", 3}, {"<0x41>", 6}});
    source.set(eos, uint32_t{258});
    const gguf::File whole = source.open();
    std::vector<std::byte> bytes = source.bytes();
    int n_loaded = 0, n_refused = 0;
    for (size_t i = 0; i < bytes.size(); ++i) {
        const std::byte flip{static_cast<uint8_t>(1 << (i % 8))};
        bytes[i] ^= flip;
        try {
            const gguf::File file = gguf::File::parse(bytes);
            const Tokenizer tokenizer = Tokenizer::load(file);
            EXPECT_EQ(tokenizer.decode(tokenizer.encode("", Special::parse)), "");
            tokenizer.decode(tokenizer.encode("abc <t> \xFF", Special::parse));
            ++n_loaded;
        } catch (const InputError&) {
            ++n_refused;
        }
        bytes[i] ^= flip;
    }
    EXPECT_GT(n_loaded, 100);
    EXPECT_GT(n_refused, 1000);
}

TEST(BadVocabulary, TokensThatAreNotUtf8StandForTheirBytes) {
    VocabularyFile source({}, {{"\xFF\xC3", 1}, {"\xF0\x9F", 3}});
    const gguf::File file = source.open();
    const Tokenizer tokenizer = Tokenizer::load(file);
    EXPECT_EQ(tokenizer.bytes(256), "\xFF\xC3");
    EXPECT_EQ(tokenizer.decode(std::vector<int32_t>{257}), "\uFFFD");
}

}  // namespace
}  // namespace kylin
