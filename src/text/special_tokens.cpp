// A search in the sorted texts of the special tokens, one byte at a time.
#include "text/special_tokens.h"

#include <algorithm>
#include <string>

namespace kylin {
namespace {

// Far above every known one (about 30 bytes). Keeps the search linear in the text.
constexpr size_t max_special_bytes = 256;

}  // namespace

SpecialTokens::SpecialTokens(const gguf::File& file, const Vocabulary& vocabulary) : vocabulary_(vocabulary) {
    for (int32_t id = 0; id < vocabulary.size(); ++id) {
        const TokenType type = vocabulary.type(id);
        const std::string_view text = vocabulary.text(id);
        if ((type != TokenType::control && type != TokenType::user_defined) || text.empty()) continue;
        if (text.size() > max_special_bytes)
            file.fail("tokenizer.ggml.tokens", "special token " + std::to_string(id) + " has " + std::to_string(text.size()) +
                                                   " bytes, more than " + std::to_string(max_special_bytes));
        by_text_.push_back(id);
        first_bytes_[static_cast<uint8_t>(text[0])] = true;
    }
    std::sort(by_text_.begin(), by_text_.end(), [&](int32_t a, int32_t b) { return vocabulary.text(a) < vocabulary.text(b); });
}

// Narrows the sorted tokens to those that share the first n bytes with the text, for n = 1, 2, ...
std::optional<int32_t> SpecialTokens::longest_prefix(std::string_view text) const {
    std::optional<int32_t> longest;
    auto begin = by_text_.begin(), end = by_text_.end();
    for (size_t n = 0; n < text.size() && begin != end; ++n) {
        const auto byte_at = [&](int32_t id) {
            const std::string_view token = vocabulary_.text(id);
            return n < token.size() ? static_cast<int>(static_cast<uint8_t>(token[n])) : -1;
        };
        const int wanted = static_cast<uint8_t>(text[n]);
        begin = std::lower_bound(begin, end, wanted, [&](int32_t id, int byte) { return byte_at(id) < byte; });
        end = std::upper_bound(begin, end, wanted, [&](int byte, int32_t id) { return byte < byte_at(id); });
        if (begin != end && vocabulary_.text(*begin).size() == n + 1) longest = *begin;
    }
    return longest;
}

}  // namespace kylin
