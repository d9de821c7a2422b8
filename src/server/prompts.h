// From a call's prompt or messages to tokens. The one place that decides what may become a special token.
#pragma once
#include <string>
#include <vector>

#include "grammar/answers.h"
#include "server/request_schema.h"
#include "server/served_model.h"

namespace kylin::server {

// A conversation as the model's template writes it. Whatever comes from the messages stays text.
struct ChatPrompt {
    std::vector<int32_t> tokens;
    grammar::Thoughts thoughts;  // the model's, which the template may have opened or closed
};
ChatPrompt chat_prompt(const ServedModel& model, const Call& call);

// An array of ids, each a token of the vocabulary.
std::vector<int32_t> known_ids(const Tokenizer& tokenizer, const Json& value, const std::string& where);

// Plain text to go on from; special tokens in it count, as other engines have it.
std::vector<int32_t> raw_prompt(const Tokenizer& tokenizer, const std::string& text);

// "text", ["text", …], [ids] or [[ids], …]
struct RawPrompt {
    std::vector<int32_t> tokens;
    std::string text;  // for echo
};
std::vector<RawPrompt> raw_prompts(const Tokenizer& tokenizer, const Json& prompt);

// The same forms, to embed: with the tokens that the model expects around a text. No special token comes from the text itself.
std::vector<std::vector<int32_t>> texts_to_embed(const ServedModel& model, const Json& input);

// The user's message, behind the system message if there is one.
Json conversation_of(const std::string& system, const Json& user);

}  // namespace kylin::server
