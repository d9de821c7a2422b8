// The tokens of a byte-level BPE vocabulary: the text each has in the file, the bytes it stands for, and its kind.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/string_list.h"
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
    std::string_view text(int32_t id) const { return texts_[static_cast<size_t>(id)]; }
    // What it stands for: " the", "<|im_end|>". Nothing for unused tokens.
    std::string_view bytes(int32_t id) const { return bytes_[static_cast<size_t>(id)]; }

    std::optional<int32_t> find(std::string_view text) const;
    // Asks for the memory that find(text) will look at first.
    void prefetch(std::string_view text) const { __builtin_prefetch(&slots_[home(text)]); }
    // The token of a single byte; -1 for bytes that no UTF-8 has, when the file leaves them out.
    int32_t byte_token(uint8_t byte) const { return byte_tokens_[byte]; }

private:
    // Open addressing. Most texts are short enough to be compared without a look at them.
    struct Slot {
        uint64_t first_bytes = 0;
        uint32_t length = 0;  // or the largest number
        int32_t id = -1;
    };
    static Slot slot_for(std::string_view text, int32_t id);
    size_t home(std::string_view text) const { return hash_(text) & (slots_.size() - 1); }
    // The slot that holds the text, or the empty one where it belongs.
    size_t slot_of(std::string_view text) const;

    void read_types(const gguf::File& file, size_t n_tokens);
    void add_bytes(const gguf::File& file, int32_t id);
    void index(const gguf::File& file);
    void find_byte_tokens(const gguf::File& file);

    std::vector<TokenType> types_;
    StringList texts_, bytes_;
    SeededHash hash_;
    std::vector<Slot> slots_;
    std::array<int32_t, 256> byte_tokens_{};
};

}  // namespace kylin
