// One function per alternative of the expression; each returns the bytes it matches, 0 when it does not match.
#include "text/pre_tokenizer.h"

#include "text/unicode.h"

namespace kylin {
namespace {

struct Character {
    CharClass kind;
    char32_t value;
    size_t bytes;
};

// Requires at < text.size().
Character character_at(std::string_view text, size_t at) {
    const Decoded decoded = decode_first(text.substr(at));
    return {class_of(decoded.character), decoded.character, decoded.bytes};
}

// The end of the run of `kind` that starts at `at`.
size_t run_end(std::string_view text, size_t at, CharClass kind) {
    while (at < text.size()) {
        const Character c = character_at(text, at);
        if (c.kind != kind) break;
        at += c.bytes;
    }
    return at;
}

bool is_line_end(char c) { return c == '\r' || c == '\n'; }

size_t contraction(std::string_view text) {
    if (text[0] != '\'') return 0;
    // Only ASCII letters: lower case is one bit away.
    const auto lower = [&](size_t i) { return i < text.size() ? static_cast<char>(text[i] | 0x20) : '\0'; };
    const char a = lower(1), b = lower(2);
    if (a == 's' || a == 't' || a == 'm' || a == 'd') return 2;
    if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l')) return 3;
    return 0;
}

size_t word(std::string_view text, const Character& first) {
    const bool may_lead = first.kind != CharClass::number && !is_line_end(text[0]);
    if (!may_lead) return 0;
    const size_t end = run_end(text, first.bytes, CharClass::letter);
    return first.kind == CharClass::letter || end > first.bytes ? end : 0;
}

size_t signs(std::string_view text) {
    const size_t begin = text[0] == ' ' ? 1 : 0;
    size_t end = run_end(text, begin, CharClass::other);
    if (end == begin) return 0;
    while (end < text.size() && is_line_end(text[end])) ++end;
    return end;
}

// Requires that a space begins the text.
size_t spaces(std::string_view text) {
    size_t end = 0, last_begin = 0, after_line_end = 0;
    while (end < text.size()) {
        const Character c = character_at(text, end);
        if (c.kind != CharClass::space) break;
        last_begin = end;
        end += c.bytes;
        if (is_line_end(text[last_begin])) after_line_end = end;
    }
    if (after_line_end > 0) return after_line_end;
    const bool more_text = end < text.size();
    return more_text && last_begin > 0 ? last_begin : end;
}

}  // namespace

std::string_view next_qwen2_piece(std::string_view text) {
    const Character first = character_at(text, 0);
    size_t bytes = contraction(text);
    if (bytes == 0) bytes = word(text, first);
    if (bytes == 0 && first.kind == CharClass::number) bytes = first.bytes;
    if (bytes == 0) bytes = signs(text);
    if (bytes == 0) bytes = spaces(text);
    return text.substr(0, bytes);
}

}  // namespace kylin
