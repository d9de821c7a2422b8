// /v1/completions: text_completion.
#include "server/answer_format.h"

namespace kylin::server {
namespace {

class CompletionFormat final : public AnswerFormat {
public:
    CompletionFormat(AnswerLabel label, const Tokenizer& tokenizer, std::vector<std::string> echoes)
        : label_(std::move(label)), tokenizer_(tokenizer), echoes_(std::move(echoes)), offsets_(echoes_.size()) {}

    Json whole(std::span<const Piece> choices, const UsageSum& usage) const override {
        Json list = Json::array();
        for (const Piece& piece : choices) {
            const size_t index = list.size();
            size_t offset = 0;
            list.push_back(choice(index, echoes_[index] + piece.text, piece, offset));
        }
        Json json = envelope();
        json["choices"] = std::move(list);
        json["usage"] = to_json(usage);
        return json;
    }

    std::vector<Json> first(size_t index) const override {
        size_t offset = 0;
        return echoes_[index].empty() ? std::vector<Json>{} : std::vector{chunk(choice(index, echoes_[index], {}, offset))};
    }

    std::vector<Json> chunks(size_t index, const Piece& piece) override {
        if (piece.text.empty() && piece.logprobs.empty() && !piece.finish) return {};
        return {chunk(choice(index, piece.text, piece, offsets_[index]))};
    }

    std::vector<Json> last(const UsageSum& usage) const override {
        if (!label_.include_usage) return {};
        Json json = envelope();
        json["choices"] = Json::array();
        json["usage"] = to_json(usage);
        return {json};
    }

private:
    Json envelope() const {
        return {{"id", label_.id}, {"object", "text_completion"}, {"created", label_.created}, {"model", label_.model}};
    }

    Json choice(size_t index, const std::string& text, const Piece& piece, size_t& offset) const {
        return {{"index", index},
                {"text", text},
                {"logprobs", label_.wants_logprobs ? logprobs(piece, offset) : Json()},
                {"finish_reason", piece.finish ? Json(openai_name(piece.finish->reason)) : Json()}};
    }

    Json chunk(Json choice) const {
        Json json = envelope();
        json["choices"] = Json::array({std::move(choice)});
        if (label_.include_usage) json["usage"] = nullptr;
        return json;
    }

    // `offset` counts the bytes of the tokens, which a stop string may have cut from the text.
    Json logprobs(const Piece& piece, size_t& offset) const {
        Json json = {
            {"tokens", Json::array()}, {"token_logprobs", Json::array()}, {"top_logprobs", Json::array()}, {"text_offset", Json::array()}};
        for (const auto& token : piece.logprobs) {
            const std::string_view bytes = tokenizer_.bytes(token[0].id);
            json["tokens"].push_back(bytes);
            json["token_logprobs"].push_back(token[0].logprob);
            Json best = Json::object();
            for (size_t i = 1; i < token.size(); ++i) best[std::string(tokenizer_.bytes(token[i].id))] = token[i].logprob;
            json["top_logprobs"].push_back(std::move(best));
            json["text_offset"].push_back(offset);
            offset += bytes.size();
        }
        return json;
    }

    AnswerLabel label_;
    const Tokenizer& tokenizer_;
    std::vector<std::string> echoes_;
    std::vector<size_t> offsets_;
};

}  // namespace

std::unique_ptr<AnswerFormat> make_completion_format(AnswerLabel label, const Tokenizer& tokenizer, std::vector<std::string> echoes) {
    return std::make_unique<CompletionFormat>(std::move(label), tokenizer, std::move(echoes));
}

}  // namespace kylin::server
