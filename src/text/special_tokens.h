// Finds special tokens (control and user-defined ones) in text: the leftmost, and of those that begin there the longest.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "gguf/file.h"
#include "text/vocabulary.h"

namespace kylin {

class SpecialTokens {
public:
    // Views the vocabulary, which must outlive it. Throws InputError for a special token too long to look for at every place.
    SpecialTokens(const gguf::File& file, const Vocabulary& vocabulary);

    // The longest special token that begins `text`.
    std::optional<int32_t> longest_prefix(std::string_view text) const;
    // Whether one begins with this byte: a quick answer for most places of a text.
    bool may_begin(char first) const { return first_bytes_[static_cast<uint8_t>(first)]; }

private:
    const Vocabulary& vocabulary_;
    std::vector<int32_t> by_text_;  // sorted by text
    std::array<bool, 256> first_bytes_{};
};

}  // namespace kylin
