#include "grammar/utf8_ranges.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "text/unicode.h"

namespace kylin::grammar {
namespace {

bool is_surrogate(char32_t c) { return c >= 0xD800 && c <= 0xDFFF; }

size_t n_matching(const std::vector<std::vector<ByteRange>>& sequences, char32_t c) {
    std::string bytes;
    append_utf8(bytes, c);
    size_t n = 0;
    for (const auto& ranges : sequences) {
        bool matches = ranges.size() == bytes.size();
        for (size_t i = 0; matches && i < bytes.size(); ++i) {
            const auto byte = static_cast<uint8_t>(bytes[i]);
            matches = byte >= ranges[i].low && byte <= ranges[i].high;
        }
        n += matches ? 1 : 0;
    }
    return n;
}

size_t n_strings(const std::vector<std::vector<ByteRange>>& sequences) {
    size_t total = 0;
    for (const auto& ranges : sequences) {
        size_t n = 1;
        for (const ByteRange& r : ranges) n *= size_t{r.high} - r.low + 1;
        total += n;
    }
    return total;
}

TEST(Utf8Ranges, AreAllCharactersAndNothingElse) {
    const auto sequences = utf8_sequences({0, 0x10FFFF});
    EXPECT_EQ(n_strings(sequences), 0x110000u - 0x800u);
    for (char32_t c = 0; c <= 0x10FFFF; c += 7) ASSERT_EQ(n_matching(sequences, c), is_surrogate(c) ? 0u : 1u) << static_cast<uint32_t>(c);
}

RC_GTEST_PROP(Utf8Ranges, AreExactlyTheRange, ()) {
    const auto ends = *rc::gen::pair(rc::gen::inRange<uint32_t>(0, 0x110000), rc::gen::inRange<uint32_t>(0, 0x110000));
    const char32_t low = std::min(ends.first, ends.second), high = std::max(ends.first, ends.second);
    const auto sequences = utf8_sequences({low, high});
    size_t n_characters = 0;
    for (char32_t c = low; c <= high; ++c) n_characters += is_surrogate(c) ? 0u : 1u;
    RC_ASSERT(n_strings(sequences) == n_characters);
    for (const char32_t c : {low, high, static_cast<char32_t>((low + high) / 2)}) {
        const size_t n = n_matching(sequences, c);
        RC_ASSERT(n == (is_surrogate(c) ? 0u : 1u));
    }
}

}  // namespace
}  // namespace kylin::grammar
