// Text to token ids and back, as the model's GGUF file defines it: byte-level BPE with the qwen2 pre-tokenizer.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gguf/file.h"
#include "text/bpe.h"
#include "text/special_tokens.h"
#include "text/vocabulary.h"

namespace kylin {

// Whether "<|im_end|>" in a text means that token or only those ten characters.
enum class Special : uint8_t { parse, text };

struct Segment {
    std::string text;
    Special special = Special::text;
};

// `nfc` composes text first, as the tokenizer.json of Qwen says; `none` leaves it, as llama.cpp does.
enum class Normalization : uint8_t { nfc, none };

// Immutable; safe to use from any thread.
class Tokenizer {
public:
    // Throws InputError, which names the key, for metadata that is not a vocabulary of the supported kind.
    static Tokenizer load(const gguf::File& file, Normalization normalization = Normalization::nfc);

    // Never adds a beginning or end token. Ill-formed UTF-8 becomes U+FFFD first.
    std::vector<int32_t> encode(std::string_view text, Special special) const;
    // Encodes the segments as one text: pieces merge across their borders, but a special token lies inside parsed segments only.
    std::vector<int32_t> encode(std::span<const Segment> segments) const;

    // Special tokens are spelled out. Throws InputError for an id that is no token; ill-formed UTF-8 becomes U+FFFD.
    std::string decode(std::span<const int32_t> ids) const;
    // The bytes a token stands for, perhaps only a part of a character.
    std::string_view bytes(int32_t id) const;

    int32_t n_tokens() const;
    // By the text of the vocabulary: "<|im_end|>", "Ġthe".
    std::optional<int32_t> find(std::string_view text) const;
    bool is_control(int32_t id) const;
    bool is_special(int32_t id) const;  // control or user-defined

    std::optional<int32_t> bos() const { return bos_; }
    std::optional<int32_t> eos() const { return eos_; }
    // Whether plain prompts start with bos(), which is then there. Chat templates write it themselves.
    bool adds_bos() const { return adds_bos_; }
    // Whether texts to embed end with eos(), which is then there.
    bool adds_eos() const { return adds_eos_; }
    // Generation stops at any of these, sorted.
    std::span<const int32_t> end_of_generation() const { return end_of_generation_; }
    bool ends_generation(int32_t id) const;

private:
    // In one place on the heap, because the parts refer to each other.
    struct Tables {
        explicit Tables(const gguf::File& file) : vocabulary(file), merges(file, vocabulary), special(file, vocabulary) {}
        Vocabulary vocabulary;
        MergeTable merges;
        SpecialTokens special;
    };
    Tokenizer(const gguf::File& file, Normalization normalization);
    void read_special_ids(const gguf::File& file);
    void check_id(int32_t id) const;

    std::unique_ptr<const Tables> tables_;
    Normalization normalization_;
    std::optional<int32_t> bos_, eos_;
    bool adds_bos_ = false, adds_eos_ = false;
    std::vector<int32_t> end_of_generation_;
};

}  // namespace kylin
