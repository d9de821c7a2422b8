// Reads and checks the tokens, and indexes them by text.
#include "text/vocabulary.h"

#include <bit>
#include <limits>

#include "base/utf8.h"
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
    if (!is_utf8(text)) return std::string(text);
    std::string bytes;
    for (std::string_view rest = text; !rest.empty();) {
        const Decoded c = decode_first(rest);
        rest.remove_prefix(c.bytes);
        if (c.character >= n_characters || byte_of_character[c.character] < 0) return std::string(text);
        bytes += static_cast<char>(byte_of_character[c.character]);
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
    const std::vector<std::string>* tokens = file.find_strings(tokens_key);
    if (!tokens) file.fail(tokens_key, "is missing");
    if (tokens->empty()) file.fail(tokens_key, "is empty");
    static_assert(gguf::max_strings <= std::numeric_limits<int32_t>::max());  // so ids fit
    read_types(file, tokens->size());
    for (const std::string& text : *tokens) {
        texts_.add(text);
        add_bytes(file, static_cast<int32_t>(&text - tokens->data()));
    }
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
            bytes_.add(text);
            return;
        case TokenType::unused:
            bytes_.add({});
            return;
        case TokenType::byte: {
            const auto byte = parse_byte_token(text);
            if (!byte) file.fail(tokens_key, "token " + std::to_string(id) + " " + quoted(text) + " has the type byte but is not <0xHH>");
            bytes_.add({&*byte, 1});
            return;
        }
        default:
            break;
    }
    bytes_.add(to_bytes(text));
}

void Vocabulary::index(const gguf::File& file) {
    slots_.resize(std::bit_ceil(types_.size() * 2));
    const size_t mask = slots_.size() - 1;
    for (int32_t id = 0; id < size(); ++id) {
        if (text(id).empty()) continue;  // files have them as fillers; they match nothing
        const uint64_t h = hash_(text(id));
        size_t at = h & mask;
        for (; slots_[at].id >= 0; at = (at + 1) & mask)
            if (slots_[at].tag == static_cast<uint32_t>(h >> 32) && text(slots_[at].id) == text(id))
                file.fail(tokens_key,
                          "tokens " + std::to_string(slots_[at].id) + " and " + std::to_string(id) + " are both " + quoted(text(id)));
        slots_[at] = {static_cast<uint32_t>(h >> 32), id};
    }
}

std::optional<int32_t> Vocabulary::find(std::string_view text) const {
    const uint64_t h = hash_(text);
    const size_t mask = slots_.size() - 1;
    for (size_t at = h & mask; slots_[at].id >= 0; at = (at + 1) & mask)
        if (slots_[at].tag == static_cast<uint32_t>(h >> 32) && this->text(slots_[at].id) == text) return slots_[at].id;
    return std::nullopt;
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
