// UTF-8 as the standard shows it, character classes, and composition.
#include "text/unicode.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "base/utf8.h"

namespace kylin {
namespace {

TEST(Utf8, ReplacesIllFormedSequencesAsTheStandardShows) {
    // Unicode 15, chapter 3, tables 3-8 to 3-11.
    const std::string r(replacement_character);
    EXPECT_EQ(to_valid_utf8("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41"), r + r + r + r + r + r + r + r + "A");
    EXPECT_EQ(to_valid_utf8("\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41"), r + r + r + r + r + r + r + r + "A");
    EXPECT_EQ(to_valid_utf8("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42"), r + r + r + r + r + "A" + r + r + "B");
    EXPECT_EQ(to_valid_utf8("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41"), r + r + r + r + "A");
}

TEST(Utf8, KeepsValidTextAndNul) {
    const std::string text = std::string("a\0b", 3) + "\xC2\x80\xEF\xBF\xBF\xF4\x8F\xBF\xBF";
    EXPECT_EQ(to_valid_utf8(text), text);
}

TEST(Utf8, TellsBeginningsFromBrokenCharacters) {
    using Pair = std::pair<int, int>;
    const auto unit = [](std::string_view text) { return Pair(first_unit(text).kind, first_unit(text).bytes); };
    EXPECT_EQ(unit("\xF0\x9F\x98"), Pair(Utf8Unit::truncated, 3));
    EXPECT_EQ(unit("\xF0\x9F\x98"
                   "a"),
              Pair(Utf8Unit::invalid, 3));
    EXPECT_EQ(unit("\xE4"), Pair(Utf8Unit::truncated, 1));
    EXPECT_EQ(unit("\xE0\x9F"), Pair(Utf8Unit::invalid, 1));
    EXPECT_EQ(unit("\xED\x9F"), Pair(Utf8Unit::truncated, 2));
    EXPECT_EQ(unit("\xF4\x90"), Pair(Utf8Unit::invalid, 1));
    EXPECT_EQ(unit("\x80"), Pair(Utf8Unit::invalid, 1));
}

TEST(Utf8, AnyBytesBecomeValidText) {
    EXPECT_TRUE(rc::check([](const std::string& bytes) { RC_ASSERT(is_utf8(to_valid_utf8(bytes))); }));
}

TEST(Utf8, EncodesWhatItDecodes) {
    for (char32_t c = 0; c < 0x110000; ++c) {
        if (c >= 0xD800 && c <= 0xDFFF) continue;
        std::string text;
        append_utf8(text, c);
        const Decoded decoded = decode_first(text);
        ASSERT_EQ(decoded.character, c);
        ASSERT_EQ(decoded.bytes, text.size());
    }
}

TEST(CharClass, WhiteSpaceIsTheUnicodeProperty) {
    std::u32string spaces;
    for (char32_t c = 0; c < 0x110000; ++c)
        if (class_of(c) == CharClass::space) spaces += c;
    EXPECT_EQ(spaces,
              std::u32string(U"\t\n\v\f\r \u0085\u00A0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200A\u2028"
                             U"\u2029\u202F\u205F\u3000"));
}

TEST(CharClass, LettersNumbersAndTheRest) {
    for (const char32_t c : U"aZéßªʰ你あ한ǅ𠀀") {
        if (c != 0) {
            EXPECT_EQ(class_of(c), CharClass::letter) << static_cast<uint32_t>(c);
        }
    }
    for (const char32_t c : {U'0', U'٣', U'½', U'Ⅷ', U'①'}) EXPECT_EQ(class_of(c), CharClass::number);
    for (const char32_t c : {U'_', U'\u0301', U'😀', U'\u200B', U'\uFEFF', U'€', U'\0', U'\x7F'}) EXPECT_EQ(class_of(c), CharClass::other);
}

TEST(Nfc, ComposesAndOrdersMarks) {
    EXPECT_EQ(nfc("e\u0301"), "é");
    EXPECT_EQ(nfc("a\u0323\u0307"), nfc("a\u0307\u0323"));
    EXPECT_EQ(nfc("\u212B"), "Å");
    EXPECT_EQ(nfc("\u1112\u1161\u11AB"), "한");
    EXPECT_EQ(nfc("plain"), "plain");
    EXPECT_EQ(nfc("\u0958"), "\u0915\u093C");  // a composition that Unicode excludes
}

TEST(Nfc, KeepsTheJamoThatUtf8procDrops) {
    EXPECT_EQ(nfc("\uD034\u11A7"), "\uD034\u11A7");
    EXPECT_EQ(nfc("\u1112\u1161\u11A7e\u0301"), "하\u11A7é");
    EXPECT_EQ(nfc("\u11A7"), "\u11A7");
}

TEST(Nfc, IsIdempotent) {
    EXPECT_TRUE(rc::check([](const std::vector<uint16_t>& characters) {
        std::string text;
        for (const uint16_t c : characters)
            if (c < 0xD800 || c > 0xDFFF) append_utf8(text, c);
        RC_ASSERT(nfc(nfc(text)) == nfc(text));
    }));
}

}  // namespace
}  // namespace kylin
