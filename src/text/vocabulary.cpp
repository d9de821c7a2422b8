// Reads and checks the tokens, and indexes them by text.
#include "text/vocabulary.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "gguf/header.h"
#include "text/unicode.h"

namespace kylin {
namespace {

constexpr std::string_view tokens_key = "tokenizer.ggml.tokens", types_key = "tokenizer.ggml.token_type",
                           scores_key = "tokenizer.ggml.scores";

// Byte-level BPE writes every byte as a visible character: printable Latin-1 as itself, the others from U+0100 on.
constexpr bool is_itself(int byte) { return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE; }

constexpr auto character_of_byte = [] {
    std::array<char16_t, 256> characters{};
    char16_t next = 0x100;
    for (int byte = 0; byte < 256; ++byte) characters[static_cast<size_t>(byte)] = is_itself(byte) ? static_cast<char16_t>(byte) : next++;
    return characters;
}();

constexpr size_t n_characters = 0x100 + 68;  // 68 bytes are not printable
constexpr auto byte_of_character = [] {
    std::array<int16_t, n_characters> bytes{};
    for (auto& b : bytes) b = -1;
    for (size_t byte = 0; byte < 256; ++byte) bytes[character_of_byte[byte]] = static_cast<int16_t>(byte);
    return bytes;
}();

// The bytes that a token's visible characters stand for; its own bytes when it is not written that way.
std::string to_bytes(std::string_view text) {
    static_assert(n_characters <= 0x800);  // so each has at most two bytes in UTF-8
    std::string bytes;
    for (size_t i = 0; i < text.size(); ++i) {
        size_t character = static_cast<uint8_t>(text[i]);
        if (character >= 0x80) {
            const size_t second = i + 1 < text.size() ? static_cast<uint8_t>(text[++i]) : 0;
            if (character < 0xC2 || character >= 0xE0 || (second & 0xC0) != 0x80) return std::string(text);
            character = (character & 0x1F) << 6 | (second & 0x3F);
        }
        if (character >= n_characters || byte_of_character[character] < 0) return std::string(text);
        bytes += static_cast<char>(byte_of_character[character]);
    }
    return bytes;
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

// <0xHH>, with exactly two digits.
std::optional<char> parse_byte_token(std::string_view text) {
    if (text.size() != 6 || !text.starts_with("<0x") || text[5] != '>') return std::nullopt;
    const int high = hex_digit(text[3]), low = hex_digit(text[4]);
    if (high < 0 || low < 0) return std::nullopt;
    return static_cast<char>(high * 16 + low);
}

std::string quoted(std::string_view text) { return "\"" + to_valid_utf8(text) + "\""; }

bool occurs_in_utf8(size_t byte) { return byte != 0xC0 && byte != 0xC1 && byte < 0xF5; }

}  // namespace

Vocabulary::Vocabulary(const gguf::File& file) {
    const StringList* tokens = file.find_strings(tokens_key);
    if (!tokens) file.fail(tokens_key, "is missing");
    if (tokens->empty()) file.fail(tokens_key, "is empty");
    static_assert(gguf::max_strings <= std::numeric_limits<int32_t>::max());  // so ids fit
    read_types(file, tokens->size());
    texts_ = *tokens;
    bytes_.reserve(texts_.size(), texts_.n_bytes());
    for (int32_t id = 0; id < size(); ++id) add_bytes(file, id);
    index(file);
    find_byte_tokens(file);
}

void Vocabulary::read_types(const gguf::File& file, size_t n_tokens) {
    const auto check_length = [&](std::string_view key, size_t n) {
        if (n != n_tokens) file.fail(key, "has " + std::to_string(n) + " elements for " + std::to_string(n_tokens) + " tokens");
    };
    if (const auto scores = file.find_floats(scores_key)) check_length(scores_key, scores->size());
    const auto types = file.find_ints(types_key);
    if (!types) {
        types_.assign(n_tokens, TokenType::normal);
        return;
    }
    check_length(types_key, types->size());
    types_.reserve(n_tokens);
    for (const int64_t type : *types) {
        if (type < 0 || type > static_cast<int64_t>(TokenType::byte)) file.fail(types_key, "has the unknown type " + std::to_string(type));
        types_.push_back(static_cast<TokenType>(type));
    }
}

void Vocabulary::add_bytes(const gguf::File& file, int32_t id) {
    const std::string_view text = this->text(id);
    switch (type(id)) {
        case TokenType::control:
        case TokenType::user_defined:
            bytes_.push_back(text);
            return;
        case TokenType::unused:
            bytes_.push_back({});
            return;
        case TokenType::byte: {
            const auto byte = parse_byte_token(text);
            if (!byte) file.fail(tokens_key, "token " + std::to_string(id) + " " + quoted(text) + " has the type byte but is not <0xHH>");
            bytes_.push_back({&*byte, 1});
            return;
        }
        default:
            break;
    }
    bytes_.push_back(to_bytes(text));
}

void Vocabulary::index(const gguf::File& file) {
    constexpr int32_t ahead = 16;
    slots_.resize(std::bit_ceil(types_.size() + types_.size() / 2 + 1));  // one is always free
    for (int32_t id = 0; id < size(); ++id) {
        if (id + ahead < size()) prefetch(text(id + ahead));
        if (text(id).empty()) continue;  // files have them as fillers; they match nothing
        Slot& slot = slots_[slot_of(text(id))];
        if (slot.id >= 0)
            file.fail(tokens_key, "tokens " + std::to_string(slot.id) + " and " + std::to_string(id) + " are both " + quoted(text(id)));
        slot = slot_for(text(id), id);
    }
}

Vocabulary::Slot Vocabulary::slot_for(std::string_view text, int32_t id) {
    constexpr size_t most = std::numeric_limits<uint32_t>::max();
    return {first_bytes(text), static_cast<uint32_t>(std::min(text.size(), most)), id};
}

size_t Vocabulary::slot_of(std::string_view text) const {
    const Slot wanted = slot_for(text, -1);
    const size_t mask = slots_.size() - 1;
    size_t at = home(text);
    for (; slots_[at].id >= 0; at = (at + 1) & mask) {
        const Slot& slot = slots_[at];
        if (slot.first_bytes != wanted.first_bytes || slot.length != wanted.length) continue;
        if (text.size() <= sizeof slot.first_bytes || this->text(slot.id) == text) break;
    }
    return at;
}

std::optional<int32_t> Vocabulary::find(std::string_view text) const {
    const int32_t id = slots_[slot_of(text)].id;
    return id >= 0 ? std::optional(id) : std::nullopt;
}

void Vocabulary::find_byte_tokens(const gguf::File& file) {
    for (size_t byte = 0; byte < byte_tokens_.size(); ++byte) {
        std::string text;
        append_utf8(text, character_of_byte[byte]);
        byte_tokens_[byte] = find(text).value_or(-1);
        if (byte_tokens_[byte] < 0 && occurs_in_utf8(byte)) file.fail(tokens_key, "no token stands for the byte " + std::to_string(byte));
    }
}

}  // namespace kylin
