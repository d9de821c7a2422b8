// Turns the bytes of one token after the other into text, and never emits a part of a character.
#pragma once
#include <string>
#include <string_view>

namespace kylin {

class TextStream {
public:
    // The text that is now certain: whole characters, and U+FFFD for bytes that no continuation can repair.
    std::string push(std::string_view bytes);
    // The end: an unfinished character becomes U+FFFD.
    std::string flush();

private:
    std::string pending_;  // the beginning of a character, at most 3 bytes
};

}  // namespace kylin
