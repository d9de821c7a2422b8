// The table of well-formed sequences, compared with the definition for every code point and every two-byte string.
#include "base/utf8.h"

#include <gtest/gtest.h>
#include <string>

namespace kylin {
namespace {

std::string encoded(uint32_t c) {
    const auto byte = [](uint32_t b) { return static_cast<char>(b); };
    if (c < 0x80) return {byte(c)};
    if (c < 0x800) return {byte(0xC0 | c >> 6), byte(0x80 | (c & 63))};
    if (c < 0x10000) return {byte(0xE0 | c >> 12), byte(0x80 | (c >> 6 & 63)), byte(0x80 | (c & 63))};
    return {byte(0xF0 | c >> 18), byte(0x80 | (c >> 12 & 63)), byte(0x80 | (c >> 6 & 63)), byte(0x80 | (c & 63))};
}

TEST(Utf8, EveryCodePointButSurrogates) {
    for (uint32_t c = 0; c <= 0x10FFFF; ++c) {
        const std::string text = encoded(c);
        const bool surrogate = c >= 0xD800 && c <= 0xDFFF;
        ASSERT_EQ(utf8_character_bytes(text), surrogate ? 0 : text.size()) << c;
    }
}

TEST(Utf8, EveryTwoByteString) {
    for (int a = 0; a < 256; ++a)
        for (int b = 0; b < 256; ++b) {
            const bool valid = (a < 0x80 && b < 0x80) || (a >= 0xC2 && a <= 0xDF && b >= 0x80 && b <= 0xBF);
            ASSERT_EQ(is_utf8(std::string{static_cast<char>(a), static_cast<char>(b)}), valid) << a << ' ' << b;
        }
}

TEST(Utf8, RefusesOverlongTruncatedInterruptedAndTooLarge) {
    for (const char* text :
         {"\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xED\xA0\x80", "\xE2\x82",
          "\xF0\x9F\x98", "a\x80", "\xFF", "\xE2\x82z", "\xE2\x82\xC0", "\xF0\x9F\x98z", "\xF0\x9F\x98\xC0"})
        EXPECT_FALSE(is_utf8(text)) << text;
    EXPECT_TRUE(is_utf8("a\xE4\xBD\xA0\xF0\x9F\x98\x80"));
    EXPECT_TRUE(is_utf8(""));
    EXPECT_EQ(utf8_character_bytes(""), 0u);
}

}  // namespace
}  // namespace kylin
