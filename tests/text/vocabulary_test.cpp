#include "text/vocabulary.h"

#include <gtest/gtest.h>

#include "text/hash.h"
#include "vocabulary_file.h"

namespace kylin {
namespace {

TEST(Vocabulary, FindsEachOfManyAlikeTexts) {
    VocabularyFile source;
    const std::vector<std::string> alike = {
        "aaaaaaaa",          "aaaaaaaaa", "aaaaaaaab",           "aaaaaaaaaaaaaaaa",      "aaaaaaaabaaaaaaa",  "aa",
        std::string(3, 'a'), "a b c d",   std::string("a\0", 2), std::string("a\0\0", 3), std::string("\0", 1)};
    for (const std::string& text : alike) {
        source.tokens().push_back(text);
        source.types().push_back(static_cast<int32_t>(TokenType::user_defined));
    }
    const gguf::File file = source.open();
    const Vocabulary vocabulary(file);
    for (int32_t id = 0; id < vocabulary.size(); ++id) EXPECT_EQ(vocabulary.find(vocabulary.text(id)), id);
    for (const char* other : {"", "aaaaaaaac", "aaaaaaa", "aaaaaaaabaaaaaab", "a b c"}) EXPECT_FALSE(vocabulary.find(other)) << other;
}

TEST(FirstBytes, AreThoseOfTheTextAndThenZeros) {
    const std::string text = "123456789";
    for (size_t n = 0; n <= text.size(); ++n) {
        uint64_t expected = 0;
        std::memcpy(&expected, text.data(), std::min<size_t>(n, 8));
        EXPECT_EQ(first_bytes(std::string_view(text).substr(0, n)), expected) << n;
    }
}

}  // namespace
}  // namespace kylin
