// Categories, case and composition come from utf8proc; the rest is small enough to be here.
#include "text/unicode.h"

#include <algorithm>
#include <array>
#include <span>
#include <stdexcept>
#include <utf8proc.h>
#include <vector>

#include "base/utf8.h"

namespace kylin {
namespace {

bool is_white_space(char32_t c) {
    return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
           c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

CharClass look_up_class(char32_t c) {
    if (is_white_space(c)) return CharClass::space;
    switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
        case UTF8PROC_CATEGORY_LU:
        case UTF8PROC_CATEGORY_LL:
        case UTF8PROC_CATEGORY_LT:
        case UTF8PROC_CATEGORY_LM:
        case UTF8PROC_CATEGORY_LO:
            return CharClass::letter;
        case UTF8PROC_CATEGORY_ND:
        case UTF8PROC_CATEGORY_NL:
        case UTF8PROC_CATEGORY_NO:
            return CharClass::number;
        default:
            return CharClass::other;
    }
}

constexpr auto ascii_classes = [] {
    std::array<CharClass, 128> classes{};
    for (char32_t c = 0; c < classes.size(); ++c) {
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'), number = c >= '0' && c <= '9';
        const bool space = c == ' ' || (c >= '\t' && c <= '\r');
        classes[c] = letter ? CharClass::letter : number ? CharClass::number : space ? CharClass::space : CharClass::other;
    }
    return classes;
}();

// Whether some continuation of `text` is a valid character that needs all of it.
bool begins_character(std::string_view text) {
    const auto first = static_cast<uint8_t>(text[0]);
    const size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || text.size() >= length) return false;
    // 0x80 is too low a second byte after E0 and F0, 0xBF too high after ED and F4; one of the two completes any beginning.
    for (const char filler : {'\x80', '\xBF'}) {
        std::string whole(text);
        whole.resize(length, filler);
        if (utf8_character_bytes(whole) == length) return true;
    }
    return false;
}

// utf8proc sorts combining marks by insertion, which is quadratic for hostile text, so this sorts them before it composes.
void order_marks(std::span<utf8proc_int32_t> characters) {
    const auto combining_class = [](utf8proc_int32_t c) { return utf8proc_get_property(c)->combining_class; };
    for (size_t begin = 0; begin < characters.size();) {
        size_t end = begin;
        while (end < characters.size() && combining_class(characters[end]) != 0) ++end;
        std::stable_sort(characters.begin() + static_cast<std::ptrdiff_t>(begin), characters.begin() + static_cast<std::ptrdiff_t>(end),
                         [&](auto a, auto b) { return combining_class(a) < combining_class(b); });
        begin = end + 1;
    }
}

// U+11A7 composes with nothing, but utf8proc 2.8 takes it for a final consonant and drops it after a Hangul syllable.
constexpr std::string_view inert_jamo = "\xE1\x86\xA7";

// Appends the composition of text without U+11A7.
void compose(std::string_view valid, std::string& out) {
    constexpr utf8proc_ssize_t longest_decomposition = 4;  // canonical, per character
    std::vector<utf8proc_int32_t> characters;
    characters.reserve(valid.size());
    while (!valid.empty()) {
        const Decoded next = decode_first(valid);
        valid.remove_prefix(next.bytes);
        utf8proc_int32_t parts[longest_decomposition];
        const auto n = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(next.character), parts, longest_decomposition,
                                               UTF8PROC_DECOMPOSE, nullptr);
        if (n < 0 || n > longest_decomposition) throw std::logic_error("a canonical decomposition is longer than Unicode allows");
        characters.insert(characters.end(), parts, parts + n);
    }
    order_marks(characters);
    const auto length = utf8proc_normalize_utf32(characters.data(), static_cast<utf8proc_ssize_t>(characters.size()),
                                                 static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
    if (length < 0) throw std::logic_error("utf8proc refuses to compose valid text");
    for (const utf8proc_int32_t c : std::span(characters).first(static_cast<size_t>(length))) append_utf8(out, static_cast<char32_t>(c));
}

}  // namespace

Utf8Unit first_unit(std::string_view text) {
    if (static_cast<uint8_t>(text[0]) < 0x80) return {Utf8Unit::character, 1};
    if (const size_t bytes = utf8_character_bytes(text)) return {Utf8Unit::character, static_cast<uint8_t>(bytes)};
    uint8_t bytes = 1;
    while (bytes < text.size() && bytes < 3 && begins_character(text.substr(0, bytes + size_t{1}))) ++bytes;
    const bool cut = bytes == text.size() && begins_character(text);
    return {cut ? Utf8Unit::truncated : Utf8Unit::invalid, bytes};
}

std::string to_valid_utf8(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const Utf8Unit unit = first_unit(text);
        out += unit.kind == Utf8Unit::character ? text.substr(0, unit.bytes) : replacement_character;
        text.remove_prefix(unit.bytes);
    }
    return out;
}

void append_utf8(std::string& out, char32_t character) {
    utf8proc_uint8_t bytes[4];
    const auto n = utf8proc_encode_char(static_cast<utf8proc_int32_t>(character), bytes);
    out.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(n));
}

std::u32string to_utf32(std::string_view valid) {
    std::u32string out;
    out.reserve(valid.size());
    while (!valid.empty()) {
        const Decoded next = decode_first(valid);
        out += next.character;
        valid.remove_prefix(next.bytes);
    }
    return out;
}

std::string to_utf8(std::u32string_view text) {
    std::string out;
    out.reserve(text.size());
    for (const char32_t c : text) append_utf8(out, c);
    return out;
}

CharClass class_of(char32_t character) { return character < ascii_classes.size() ? ascii_classes[character] : look_up_class(character); }

bool is_assigned(char32_t character) { return utf8proc_category(static_cast<utf8proc_int32_t>(character)) != UTF8PROC_CATEGORY_CN; }

bool is_printable(char32_t character) {
    if (character == U' ') return true;
    const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(character));
    return category != UTF8PROC_CATEGORY_CN && category < UTF8PROC_CATEGORY_ZS;
}

char32_t to_lower(char32_t character) { return static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(character))); }
char32_t to_upper(char32_t character) { return static_cast<char32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(character))); }

std::string nfc(std::string_view valid) {
    // Nothing below U+0300 decomposes with, or composes to, something else when no mark follows.
    const auto needs_work = [](char byte) { return static_cast<uint8_t>(byte) >= 0xCC; };
    if (std::none_of(valid.begin(), valid.end(), needs_work)) return std::string(valid);
    std::string out;
    out.reserve(valid.size());
    for (;;) {
        const size_t end = std::min(valid.find(inert_jamo), valid.size());
        compose(valid.substr(0, end), out);
        if (end == valid.size()) return out;
        out += inert_jamo;
        valid.remove_prefix(end + inert_jamo.size());
    }
}

}  // namespace kylin
