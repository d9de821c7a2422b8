// How an answer is written: one implementation for each API.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/event.h"
#include "server/json.h"
#include "server/tool_call_splitter.h"
#include "text/tokenizer.h"

namespace kylin::server {

// What one event adds to a choice.
struct Piece {
    std::string text = {};  // of the answer, thoughts apart where the API has a place for them
    std::string reasoning = {};
    std::vector<ToolCall> calls = {};
    bool has_called = false;  // in this piece or an earlier one
    std::vector<int32_t> tokens = {};
    std::vector<std::vector<TokenLogprob>> logprobs = {};  // of each shown token: itself, then the best ones
    std::optional<Finish> finish = {};
};

// Where OpenAI's API has sums over all choices.
struct UsageSum {
    int n_prompt = 0, n_reused = 0, n_answer = 0, n_drafted = 0, n_accepted = 0;
};
Json to_json(const UsageSum& usage);
Json to_json(const Usage& usage);  // as our own interfaces have it
Json timings_of(const Finish& finish);

class AnswerFormat {
public:
    virtual ~AnswerFormat() = default;
    virtual Json whole(std::span<const Piece> choices, const UsageSum& usage) const = 0;
    // Events of a stream: before the first piece of a choice, for a piece, and after all.
    virtual std::vector<Json> first(size_t choice) const = 0;
    virtual std::vector<Json> chunks(size_t choice, const Piece& piece) = 0;
    virtual std::vector<Json> last(const UsageSum& usage) const = 0;
    virtual bool ends_with_done() const { return true; }  // "data: [DONE]"
    virtual bool splits_thoughts() const { return false; }
};

// What all answers of OpenAI's shape begin with.
struct AnswerLabel {
    std::string id, model;
    int64_t created;
    bool include_usage = false;
    bool wants_logprobs = false;
};

std::unique_ptr<AnswerFormat> make_chat_format(AnswerLabel label, const Tokenizer& tokenizer);
// `echoes`: what is put in front of each choice.
std::unique_ptr<AnswerFormat> make_completion_format(AnswerLabel label, const Tokenizer& tokenizer, std::vector<std::string> echoes);
std::unique_ptr<AnswerFormat> make_generate_format(AnswerLabel label, uint64_t seed);

std::string_view openai_name(FinishReason reason);

}  // namespace kylin::server
