// A vocabulary of Qwen3's size and form whose merges are made up: loading it costs what the real one costs.
#include <array>
#include <string>
#include <string_view>
#include <unordered_set>

#include "base/random.h"
#include "gguf/synthetic.h"

namespace kylin::gguf {
namespace {

constexpr std::string_view special_tokens[] = {
    "<|endoftext|>",  "<|im_start|>",   "<|im_end|>",    "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>",
    "<|box_end|>",    "<|quad_start|>", "<|quad_end|>",  "<|vision_start|>",     "<|vision_end|>",     "<|vision_pad|>",
    "<|image_pad|>",  "<|video_pad|>",  "<tool_call>",   "</tool_call>",         "<|fim_prefix|>",     "<|fim_middle|>",
    "<|fim_suffix|>", "<|fim_pad|>",    "<|repo_name|>", "<|file_sep|>",         "<tool_response>",    "</tool_response>",
    "<think>",        "</think>",
};
constexpr uint32_t n_special = std::size(special_tokens);

// Qwen3 has its specials at 151643 .. 151668 of 151936; smaller vocabularies keep room behind them in proportion.
uint32_t first_special(uint32_t n_vocab) { return n_vocab == 151936 ? 151643 : n_vocab - n_special - n_vocab / 64; }

enum TokenType : int32_t { normal = 1, control = 3, user_defined = 4, unused = 5 };

std::string utf8_of(uint32_t code_point) {
    if (code_point < 0x80) return {static_cast<char>(code_point)};
    return {static_cast<char>(0xC0 | (code_point >> 6)), static_cast<char>(0x80 | (code_point & 63))};
}

// GPT-2's alphabet: printable Latin-1 bytes are themselves and come first, the others are U+0100 and up in order.
std::vector<std::string> byte_tokens() {
    std::vector<std::string> printable, others;
    uint32_t next = 0x100;
    for (uint32_t b = 0; b < 256; ++b) {
        const bool is_printable = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
        if (!is_printable) others.push_back(utf8_of(next++));
    }
    for (uint32_t b = 0; b < 256; ++b)
        if ((b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174) printable.push_back(utf8_of(b));
    printable.insert(printable.end(), others.begin(), others.end());
    return printable;
}

// Merges of letters, with and without a leading space; then of ever longer tokens with each other.
class MergeMaker {
public:
    explicit MergeMaker(std::vector<std::string>& tokens) : tokens_(tokens), known_(tokens.begin(), tokens.end()) {
        for (char c = 'a'; c <= 'z'; ++c) parts_.push_back(std::string(1, c));
        n_letters_ = parts_.size();
        parts_.push_back("\u0120");  // a space
    }

    void add_until(size_t n_tokens) {
        while (tokens_.size() < n_tokens) {
            // The square leans towards early, short parts.
            const double u = random_.uniform();
            const auto& left = parts_[static_cast<size_t>(u * u * static_cast<double>(parts_.size()))];
            const auto& right = parts_[random_.below(random_.below(4) == 0 ? parts_.size() : n_letters_)];
            if (right.starts_with("\u0120") || left.size() + right.size() > 14) continue;
            std::string joined = left + right;
            if (!known_.insert(joined).second) continue;
            merges.push_back(left + " " + right);
            tokens_.push_back(joined);
            parts_.push_back(std::move(joined));
        }
    }
    std::vector<std::string> merges;

private:
    std::vector<std::string>& tokens_;
    std::unordered_set<std::string> known_;
    std::vector<std::string> parts_;
    size_t n_letters_;
    Random random_{1};
};

constexpr const char* chat_template =
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}{% endif %}";

}  // namespace

std::vector<Entry> synthetic_tokenizer(uint32_t n_vocab) {
    std::vector<std::string> tokens = byte_tokens();
    MergeMaker maker(tokens);
    const uint32_t special = first_special(n_vocab);
    maker.add_until(special);
    std::vector<int32_t> types(tokens.size(), normal);
    for (const std::string_view token : special_tokens) {
        tokens.emplace_back(token);
        types.push_back(token.starts_with("<|") ? control : user_defined);
    }
    while (tokens.size() < n_vocab) {
        tokens.push_back("[PAD" + std::to_string(tokens.size()) + "]");
        types.push_back(unused);
    }
    return {
        {"tokenizer.ggml.model", std::string("gpt2")},
        {"tokenizer.ggml.pre", std::string("qwen2")},
        {"tokenizer.ggml.tokens", Array(std::move(tokens))},
        {"tokenizer.ggml.token_type", Array(std::move(types))},
        {"tokenizer.ggml.merges", Array(std::move(maker.merges))},
        {"tokenizer.ggml.eos_token_id", special + 2},
        {"tokenizer.ggml.padding_token_id", special},
        {"tokenizer.ggml.bos_token_id", special},
        {"tokenizer.ggml.add_bos_token", false},
        {"tokenizer.chat_template", std::string(chat_template)},
    };
}

}  // namespace kylin::gguf
