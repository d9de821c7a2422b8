// Python's idea of white space and of characters, on valid UTF-8.
#pragma once
#include <cstddef>
#include <string_view>
#include <vector>

#include "text/unicode.h"

namespace kylin::jinja {

// str.isspace(): White_Space and the four information separators.
inline bool is_python_space(char32_t c) { return class_of(c) == CharClass::space || (c >= 0x1C && c <= 0x1F); }

// Bytes of the characters at the beginning that `belongs` accepts.
template <class Predicate>
size_t leading(std::string_view text, Predicate belongs) {
    size_t n = 0;
    while (n < text.size()) {
        const Decoded c = decode_first(text.substr(n));
        if (!belongs(c.character)) break;
        n += c.bytes;
    }
    return n;
}

// The same at the end.
template <class Predicate>
size_t trailing(std::string_view text, Predicate belongs) {
    size_t n = 0;
    while (n < text.size()) {
        size_t begin = text.size() - n - 1;
        while ((static_cast<uint8_t>(text[begin]) & 0xC0) == 0x80) --begin;
        if (!belongs(decode_first(text.substr(begin)).character)) break;
        n = text.size() - begin;
    }
    return n;
}

inline size_t leading_space(std::string_view text) { return leading(text, is_python_space); }
inline size_t trailing_space(std::string_view text) { return trailing(text, is_python_space); }

// Where each character begins, and the end.
inline std::vector<size_t> character_starts(std::string_view text) {
    std::vector<size_t> starts;
    starts.reserve(text.size() + 1);
    for (size_t at = 0; at < text.size(); at += decode_first(text.substr(at)).bytes) starts.push_back(at);
    starts.push_back(text.size());
    return starts;
}

inline size_t count_characters(std::string_view text) {
    size_t n = 0;
    for (const char c : text) n += (static_cast<uint8_t>(c) & 0xC0) != 0x80 ? 1 : 0;
    return n;
}

}  // namespace kylin::jinja
