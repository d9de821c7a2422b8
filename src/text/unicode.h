// Unicode as a tokenizer needs it: UTF-8 in and out, the classes of the qwen2 expression, and canonical composition (NFC).
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace kylin {

// What begins a text that is not empty.
struct Utf8Unit {
    enum Kind : uint8_t {
        character,  // a valid character
        truncated,  // the beginning of a character, cut off by the end of the text
        invalid     // bytes that stand for one U+FFFD (the maximal subpart of Unicode, chapter 3)
    };
    Kind kind;
    uint8_t bytes;
};
Utf8Unit first_unit(std::string_view text);

inline constexpr std::string_view replacement_character = "\xEF\xBF\xBD";

// Every ill-formed sequence becomes U+FFFD.
std::string to_valid_utf8(std::string_view text);

// The character that begins `text`, which is valid UTF-8 and not empty.
struct Decoded {
    char32_t character;
    size_t bytes;
};
inline Decoded decode_first(std::string_view text) {
    const auto byte = [&](size_t i) { return static_cast<char32_t>(static_cast<uint8_t>(text[i])); };
    const char32_t first = byte(0);
    if (first < 0x80) return {first, 1};
    if (first < 0xE0) return {(first & 0x1F) << 6 | (byte(1) & 0x3F), 2};
    if (first < 0xF0) return {(first & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F), 3};
    return {(first & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F), 4};
}
void append_utf8(std::string& out, char32_t character);
std::u32string to_utf32(std::string_view valid);
std::string to_utf8(std::u32string_view text);

// The four classes that the qwen2 expression tells apart: \p{L}, \p{N}, \s (the property White_Space), the rest.
enum class CharClass : uint8_t { letter, number, space, other };
CharClass class_of(char32_t character);

// Whether Unicode (in the version of this build's tables) has given the code point to a character.
bool is_assigned(char32_t character);
// Not a control, format, private, surrogate or unassigned code point, and no white space but U+0020.
bool is_printable(char32_t character);
char32_t to_lower(char32_t character);
char32_t to_upper(char32_t character);

// Canonical composition of valid UTF-8, in O(n log n) whatever the order of combining marks.
std::string nfc(std::string_view valid);

}  // namespace kylin
