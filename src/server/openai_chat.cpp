// /v1/chat/completions: chat.completion and chat.completion.chunk.
#include <fmt/format.h>

#include "server/answer_format.h"

namespace kylin::server {
namespace {

Json token_json(const Tokenizer& tokenizer, const TokenLogprob& entry) {
    const std::string_view bytes = tokenizer.bytes(entry.id);
    Json numbers = Json::array();
    for (const char c : bytes) numbers.push_back(static_cast<unsigned char>(c));
    return {{"token", bytes}, {"logprob", entry.logprob}, {"bytes", std::move(numbers)}};
}

// OpenAI's reasons, of which "tool_calls" is known to this API alone.
std::string_view reason_of(const Piece& piece) {
    const bool called = piece.has_called && piece.finish->reason != FinishReason::length;
    return called ? "tool_calls" : openai_name(piece.finish->reason);
}

class ChatFormat final : public AnswerFormat {
public:
    ChatFormat(AnswerLabel label, const Tokenizer& tokenizer) : label_(std::move(label)), tokenizer_(tokenizer) {}

    Json whole(std::span<const Piece> choices, const UsageSum& usage) const override {
        Json list = Json::array();
        for (const Piece& piece : choices) {
            Json message = {{"role", "assistant"}, {"content", piece.text}};
            if (!piece.reasoning.empty()) message["reasoning_content"] = piece.reasoning;
            if (!piece.calls.empty()) {
                if (piece.text.empty()) message["content"] = nullptr;
                message["tool_calls"] = tool_calls(list.size(), piece, false);
            }
            list.push_back(choice(list.size(), "message", std::move(message), piece));
        }
        Json json = envelope("chat.completion");
        json["choices"] = std::move(list);
        json["usage"] = to_json(usage);
        return json;
    }

    std::vector<Json> first(size_t index) const override { return {chunk(index, {{"role", "assistant"}, {"content", ""}}, {})}; }

    std::vector<Json> chunks(size_t index, const Piece& piece) override {
        Json delta = Json::object();
        if (!piece.reasoning.empty()) delta["reasoning_content"] = piece.reasoning;
        if (!piece.text.empty()) delta["content"] = piece.text;
        if (!piece.calls.empty()) delta["tool_calls"] = tool_calls(index, piece, true);
        if (delta.empty() && !piece.finish && piece.logprobs.empty()) return {};
        return {chunk(index, std::move(delta), piece)};
    }

    std::vector<Json> last(const UsageSum& usage) const override {
        if (!label_.include_usage) return {};
        Json json = envelope("chat.completion.chunk");
        json["choices"] = Json::array();
        json["usage"] = to_json(usage);
        return {json};
    }

    bool splits_thoughts() const override { return true; }

private:
    Json envelope(const char* object) const {
        return {{"id", label_.id}, {"object", object}, {"created", label_.created}, {"model", label_.model}};
    }

    Json choice(size_t index, const char* key, Json content, const Piece& piece) const {
        Json json = {{"index", index},
                     {key, std::move(content)},
                     {"logprobs", label_.wants_logprobs ? logprobs(piece) : Json()},
                     {"finish_reason", piece.finish ? Json(reason_of(piece)) : Json()}};
        // Beyond OpenAI's: a client cannot measure this, for the pieces of a stream reach it in bundles.
        if (piece.finish) json["timings"] = timings_of(*piece.finish);
        if (piece.finish && piece.finish->activations) json["watched"] = true;  // GET /numerics has its values
        return json;
    }

    Json chunk(size_t index, Json delta, const Piece& piece) const {
        Json json = envelope("chat.completion.chunk");
        json["choices"] = Json::array({choice(index, "delta", std::move(delta), piece)});
        if (label_.include_usage) json["usage"] = nullptr;
        return json;
    }

    // A call comes whole, in one piece of a stream, where its index says which of several it is.
    Json tool_calls(size_t choice, const Piece& piece, bool indexed) const {
        Json calls = Json::array();
        for (const ToolCall& call : piece.calls) {
            Json json = indexed ? Json{{"index", call.index}} : Json::object();
            json["id"] = fmt::format("call_{}_{}_{}", label_.id, choice, call.index);
            json["type"] = "function";
            json["function"] = {{"name", call.name}, {"arguments", call.arguments}};
            calls.push_back(std::move(json));
        }
        return calls;
    }

    Json logprobs(const Piece& piece) const {
        Json content = Json::array();
        for (const auto& token : piece.logprobs) {
            Json entry = token_json(tokenizer_, token[0]);
            entry["top_logprobs"] = Json::array();
            for (size_t i = 1; i < token.size(); ++i) entry["top_logprobs"].push_back(token_json(tokenizer_, token[i]));
            content.push_back(std::move(entry));
        }
        return {{"content", std::move(content)}, {"refusal", nullptr}};
    }

    AnswerLabel label_;
    const Tokenizer& tokenizer_;
};

}  // namespace

std::unique_ptr<AnswerFormat> make_chat_format(AnswerLabel label, const Tokenizer& tokenizer) {
    return std::make_unique<ChatFormat>(std::move(label), tokenizer);
}

}  // namespace kylin::server
