// The tokens of a byte-level BPE vocabulary: the text each has in the file, the bytes it stands for, and its kind.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gguf/file.h"
#include "text/hash.h"

namespace kylin {

// As GGUF numbers them.
enum class TokenType : uint8_t { undefined, normal, unknown, control, user_defined, unused, byte };

class Vocabulary {
public:
    // Reads tokenizer.ggml.tokens and .token_type. Throws InputError.
    explicit Vocabulary(const gguf::File& file);

    int32_t size() const { return static_cast<int32_t>(types_.size()); }
    TokenType type(int32_t id) const { return types_[static_cast<size_t>(id)]; }
    // As the file writes it: "Ġthe", "<|im_end|>".
    std::string_view text(int32_t id) const { return texts_.at(id); }
    // What it stands for: " the", "<|im_end|>". Nothing for unused tokens.
    std::string_view bytes(int32_t id) const { return bytes_.at(id); }

    std::optional<int32_t> find(std::string_view text) const;
    // The token of a single byte; -1 for bytes that no UTF-8 has, when the file leaves them out.
    int32_t byte_token(uint8_t byte) const { return byte_tokens_[byte]; }

private:
    // Strings one behind the other.
    class Strings {
    public:
        void add(std::string_view s) {
            chars_ += s;
            ends_.push_back(chars_.size());
        }
        std::string_view at(int32_t i) const {
            const auto n = static_cast<size_t>(i);
            const size_t begin = n == 0 ? 0 : ends_[n - 1];
            return std::string_view(chars_).substr(begin, ends_[n] - begin);
        }

    private:
        std::string chars_;
        std::vector<size_t> ends_;
    };
    // Open addressing; the tag spares most looks at the text of another token.
    struct Slot {
        uint32_t tag = 0;
        int32_t id = -1;
    };

    void read_types(const gguf::File& file, size_t n_tokens);
    void add_bytes(const gguf::File& file, int32_t id);
    void index(const gguf::File& file);
    void find_byte_tokens(const gguf::File& file);

    std::vector<TokenType> types_;
    Strings texts_, bytes_;
    SeededHash hash_;
    std::vector<Slot> slots_;
    std::array<int32_t, 256> byte_tokens_{};
};

}  // namespace kylin
