// Splits off special tokens, composes, cuts into pieces, merges; and reads what the metadata says about special ids.
#include "text/tokenizer.h"

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "text/pre_tokenizer.h"
#include "text/unicode.h"

namespace kylin {
namespace {

constexpr std::string_view model_key = "tokenizer.ggml.model", pre_key = "tokenizer.ggml.pre";

// The names under which GGUF files have the qwen2 expression.
constexpr std::string_view qwen2_names[] = {"qwen2", "deepseek-r1-qwen", "megrez"};

enum class Role : uint8_t { bos, eos, ends_generation, other };
struct SpecialId {
    std::string_view key;
    Role role;
};
constexpr SpecialId special_ids[] = {
    {"tokenizer.ggml.bos_token_id", Role::bos},
    {"tokenizer.ggml.eos_token_id", Role::eos},
    {"tokenizer.ggml.eot_token_id", Role::ends_generation},
    {"tokenizer.ggml.eom_token_id", Role::ends_generation},
    {"tokenizer.ggml.unknown_token_id", Role::other},
    {"tokenizer.ggml.seperator_token_id", Role::other},  // the specification's spelling
    {"tokenizer.ggml.padding_token_id", Role::other},
    {"tokenizer.ggml.cls_token_id", Role::other},
    {"tokenizer.ggml.mask_token_id", Role::other},
    {"tokenizer.ggml.fim_pre_token_id", Role::other},
    {"tokenizer.ggml.fim_suf_token_id", Role::other},
    {"tokenizer.ggml.fim_mid_token_id", Role::other},
    {"tokenizer.ggml.fim_pad_token_id", Role::other},
    {"tokenizer.ggml.fim_rep_token_id", Role::other},
    {"tokenizer.ggml.fim_sep_token_id", Role::other},
};

// Files often name only one end token; a model may write any of these at the end of its turn.
constexpr std::string_view end_texts[] = {"<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|eom_id|>", "<|end_of_text|>", "<|end|>"};

void check_kind(const gguf::File& file) {
    const std::string* model = file.find_string(model_key);
    if (!model) file.fail(model_key, "is missing");
    if (*model != "gpt2") file.fail(model_key, "\"" + *model + "\" is not supported; supported: gpt2 (byte-level BPE)");
    const std::string* pre = file.find_string(pre_key);
    std::string supported;
    for (const std::string_view name : qwen2_names) supported += (supported.empty() ? "" : ", ") + std::string(name);
    if (!pre) file.fail(pre_key, "is missing; supported: " + supported);
    if (std::find(std::begin(qwen2_names), std::end(qwen2_names), *pre) == std::end(qwen2_names))
        file.fail(pre_key, "\"" + *pre + "\" is not supported; supported: " + supported);
}

// The text of all segments, valid UTF-8, and where special tokens may lie in it.
struct Joined {
    std::string text;
    std::vector<std::pair<size_t, size_t>> parsed;  // [begin, end), sorted, not touching
};

Joined join(std::span<const Segment> segments) {
    Joined joined;
    for (const Segment& segment : segments) {
        const size_t begin = joined.text.size();
        joined.text += to_valid_utf8(segment.text);
        if (segment.special != Special::parse || joined.text.size() == begin) continue;
        if (!joined.parsed.empty() && joined.parsed.back().second == begin)
            joined.parsed.back().second = joined.text.size();
        else
            joined.parsed.emplace_back(begin, joined.text.size());
    }
    if (joined.text.size() > static_cast<size_t>(std::numeric_limits<int32_t>::max())) throw InputError("text", "is longer than 2 GiB");
    return joined;
}

// Encodes text without special tokens, one stretch after the other.
class PlainEncoder {
public:
    PlainEncoder(const Vocabulary& vocabulary, const MergeTable& merges, Normalization normalization)
        : vocabulary_(vocabulary), merger_(merges), normalization_(normalization) {}

    void encode(std::string_view text, std::vector<int32_t>& out) {
        std::string composed;
        if (normalization_ == Normalization::nfc) text = composed = nfc(text);
        while (!text.empty()) {
            const std::string_view piece = next_qwen2_piece(text);
            text.remove_prefix(piece.size());
            byte_tokens_.clear();
            for (const char c : piece) byte_tokens_.push_back(vocabulary_.byte_token(static_cast<uint8_t>(c)));
            merger_.merge(byte_tokens_, out);
        }
    }

private:
    const Vocabulary& vocabulary_;
    PairMerger merger_;
    Normalization normalization_;
    std::vector<int32_t> byte_tokens_;
};

}  // namespace

Tokenizer Tokenizer::load(const gguf::File& file, Normalization normalization) {
    check_kind(file);
    return {file, normalization};
}

Tokenizer::Tokenizer(const gguf::File& file, Normalization normalization)
    : tables_(std::make_unique<const Tables>(file)), normalization_(normalization) {
    read_special_ids(file);
}

void Tokenizer::read_special_ids(const gguf::File& file) {
    for (const auto& [key, role] : special_ids) {
        const auto id = file.find_int(key);
        if (!id) continue;
        if (*id < 0 || *id >= n_tokens()) file.fail(key, std::to_string(*id) + " is not one of " + std::to_string(n_tokens()) + " tokens");
        const auto token = static_cast<int32_t>(*id);
        if (role == Role::bos) bos_ = token;
        if (role == Role::eos) eos_ = token;
        if (role == Role::eos || role == Role::ends_generation) end_of_generation_.push_back(token);
    }
    for (const std::string_view text : end_texts)
        if (const auto id = find(text); id && is_special(*id)) end_of_generation_.push_back(*id);
    std::sort(end_of_generation_.begin(), end_of_generation_.end());
    end_of_generation_.erase(std::unique(end_of_generation_.begin(), end_of_generation_.end()), end_of_generation_.end());

    constexpr std::string_view add_bos_key = "tokenizer.ggml.add_bos_token", add_eos_key = "tokenizer.ggml.add_eos_token";
    adds_bos_ = file.find_bool(add_bos_key).value_or(false);
    if (adds_bos_ && !bos_) file.fail(add_bos_key, "is true, but tokenizer.ggml.bos_token_id is missing");
    adds_eos_ = file.find_bool(add_eos_key).value_or(false);
    if (adds_eos_ && !eos_) file.fail(add_eos_key, "is true, but tokenizer.ggml.eos_token_id is missing");
}

std::vector<int32_t> Tokenizer::encode(std::string_view text, Special special) const {
    const Segment segment{std::string(text), special};
    return encode({&segment, 1});
}

std::vector<int32_t> Tokenizer::encode(std::span<const Segment> segments) const {
    const Joined joined = join(segments);
    const std::string_view text = joined.text;
    PlainEncoder plain(tables_->vocabulary, tables_->merges, normalization_);
    std::vector<int32_t> ids;
    size_t done = 0;
    for (const auto& [begin, end] : joined.parsed) {
        for (size_t at = begin; at < end;) {
            const auto id =
                tables_->special.may_begin(text[at]) ? tables_->special.longest_prefix(text.substr(at, end - at)) : std::nullopt;
            if (!id) {
                ++at;
                continue;
            }
            plain.encode(text.substr(done, at - done), ids);
            ids.push_back(*id);
            done = at += tables_->vocabulary.text(*id).size();
        }
    }
    plain.encode(text.substr(done), ids);
    return ids;
}

std::string Tokenizer::decode(std::span<const int32_t> ids) const {
    std::string out;
    for (const int32_t id : ids) out += bytes(id);
    return to_valid_utf8(out);
}

std::string_view Tokenizer::bytes(int32_t id) const {
    check_id(id);
    return tables_->vocabulary.bytes(id);
}

int32_t Tokenizer::n_tokens() const { return tables_->vocabulary.size(); }

std::optional<int32_t> Tokenizer::find(std::string_view text) const { return tables_->vocabulary.find(text); }

bool Tokenizer::is_control(int32_t id) const {
    check_id(id);
    return tables_->vocabulary.type(id) == TokenType::control;
}

bool Tokenizer::is_special(int32_t id) const {
    check_id(id);
    return is_control(id) || tables_->vocabulary.type(id) == TokenType::user_defined;
}

bool Tokenizer::ends_generation(int32_t id) const { return std::binary_search(end_of_generation_.begin(), end_of_generation_.end(), id); }

void Tokenizer::check_id(int32_t id) const {
    if (id < 0 || id >= n_tokens())
        throw InputError("token " + std::to_string(id), "is not in the vocabulary of " + std::to_string(n_tokens()));
}

}  // namespace kylin
