// The well-formed byte sequences of Unicode, table 3-7.
#include "base/utf8.h"

#include <cstdint>

namespace kylin {
namespace {

// For each range of first bytes: how many bytes follow, and the range of the second; later ones are 80..BF.
struct Form {
    uint8_t first_low, first_high, continuations, second_low, second_high;
};
constexpr Form forms[] = {
    {0x00, 0x7F, 0, 0, 0},       {0xC2, 0xDF, 1, 0x80, 0xBF}, {0xE0, 0xE0, 2, 0xA0, 0xBF},
    {0xE1, 0xEC, 2, 0x80, 0xBF}, {0xED, 0xED, 2, 0x80, 0x9F}, {0xEE, 0xEF, 2, 0x80, 0xBF},
    {0xF0, 0xF0, 3, 0x90, 0xBF}, {0xF1, 0xF3, 3, 0x80, 0xBF}, {0xF4, 0xF4, 3, 0x80, 0x8F},
};

}  // namespace

size_t utf8_character_bytes(std::string_view text) {
    if (text.empty()) return 0;
    const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
    for (const Form& form : forms) {
        if (byte(0) < form.first_low || byte(0) > form.first_high) continue;
        const size_t length = form.continuations + size_t{1};
        if (text.size() < length) return 0;
        if (length > 1 && (byte(1) < form.second_low || byte(1) > form.second_high)) return 0;
        for (size_t i = 2; i < length; ++i)
            if (byte(i) < 0x80 || byte(i) > 0xBF) return 0;
        return length;
    }
    return 0;
}

bool is_utf8(std::string_view text) {
    while (!text.empty()) {
        const size_t length = utf8_character_bytes(text);
        if (length == 0) return false;
        text.remove_prefix(length);
    }
    return true;
}

}  // namespace kylin
