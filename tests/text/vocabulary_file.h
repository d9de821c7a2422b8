// Small vocabularies as GGUF files in memory.
#pragma once
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "gguf/file.h"
#include "gguf/writer.h"
#include "text/unicode.h"

namespace kylin {

// Owns the bytes of a GGUF file without tensors whose metadata can be changed before it is opened.
class VocabularyFile {
public:
    // The 256 byte tokens (so token b is byte b), then `words` with one merge each ("left right"), then the special tokens.
    explicit VocabularyFile(const std::vector<std::string>& merges = {},
                            const std::vector<std::pair<std::string, int32_t>>& specials = {}) {
        std::vector<std::string> tokens;
        for (int byte = 0; byte < 256; ++byte) tokens.push_back(visible(static_cast<char>(byte)));
        for (const std::string& merge : merges) {
            std::string merged = merge;
            merged.erase(merged.find(' '), 1);
            tokens.push_back(merged);
        }
        std::vector<int32_t> types(tokens.size(), 1);
        for (const auto& [text, type] : specials) {
            tokens.push_back(text);
            types.push_back(type);
        }
        set("tokenizer.ggml.model", std::string("gpt2"));
        set("tokenizer.ggml.pre", std::string("qwen2"));
        set("tokenizer.ggml.tokens", gguf::Array(tokens));
        set("tokenizer.ggml.token_type", gguf::Array(types));
        set("tokenizer.ggml.merges", gguf::Array(merges));
    }

    void set(const std::string& key, gguf::Value value) {
        remove(key);
        entries_.push_back({key, std::move(value)});
    }
    void remove(const std::string& key) {
        std::erase_if(entries_, [&](const gguf::Entry& e) { return e.key == key; });
    }
    template <class T>
    T& array(const std::string& key) {
        for (gguf::Entry& e : entries_)
            if (e.key == key) return std::get<T>(std::get<gguf::Array>(e.value));
        throw std::logic_error(key);
    }
    std::vector<std::string>& tokens() { return strings("tokenizer.ggml.tokens"); }
    std::vector<std::string>& merges() { return strings("tokenizer.ggml.merges"); }
    std::vector<int32_t>& types() { return array<std::vector<int32_t>>("tokenizer.ggml.token_type"); }

    const std::vector<std::byte>& bytes() const { return bytes_; }  // of the file last opened

    // The file views this object, which must outlive it.
    gguf::File open() {
        for (const auto& [key, list] : changed_) set(key, gguf::Array(list));
        bytes_ = gguf::header_bytes(entries_, {});
        return gguf::File::parse(bytes_, "vocabulary.gguf");
    }

    // As byte-level BPE writes a byte.
    static std::string visible(char c) {
        const auto is_itself = [](int b) { return (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE; };
        const int byte = static_cast<uint8_t>(c);
        char32_t character = static_cast<char32_t>(byte);
        if (!is_itself(byte)) {
            character = 0x100;
            for (int b = 0; b < byte; ++b) character += is_itself(b) ? 0U : 1U;
        }
        std::string out;
        append_utf8(out, character);
        return out;
    }

private:
    // To be changed until the file is opened.
    std::vector<std::string>& strings(const std::string& key) {
        const auto [at, is_first] = changed_.try_emplace(key);
        if (is_first)
            for (const std::string_view s : array<StringList>(key)) at->second.emplace_back(s);
        return at->second;
    }

    std::vector<gguf::Entry> entries_;
    std::map<std::string, std::vector<std::string>> changed_;
    std::vector<std::byte> bytes_;
};

}  // namespace kylin
