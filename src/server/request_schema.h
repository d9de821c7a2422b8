// The fields of the requests that ask for an answer: one table, which validates them and documents them.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/request.h"
#include "server/json.h"
#include "server/response_format.h"

namespace kylin::server {

enum Api : unsigned {
    api_generate = 1,
    api_completions = 2,
    api_chat = 4,
    api_embeddings = 8,
    api_openai = api_completions | api_chat,
    api_all = api_generate | api_openai,  // that answer with text
};

// A request for an answer, as its fields say; not yet tokens.
struct Call {
    GenerationSpec spec;  // all but the prompt
    std::string model;    // empty: whichever is served
    Json prompt;          // generate: a string; completions: also token ids, or an array of either
    Json messages;
    std::string system;
    std::optional<bool> enable_thinking;
    ResponseFormat response_format;
    Json template_variables = Json::object();
    bool raw = false, echo = false, stream = false, include_usage = false;
    bool wants_logprobs = false;
    std::optional<int> top_logprobs;
    std::optional<uint64_t> seed;
    int n = 1;
    Json input;  // embeddings: as completions' prompt
    bool base64 = false;
    std::optional<int> dimensions;
};

struct RequestField {
    std::string_view name;
    unsigned apis;
    std::string type, range, fallback, meaning;                          // for people
    void (*read)(const Json& value, std::string_view name, Call& call);  // throws InputError
};

// In the order of the documentation.
std::span<const RequestField> request_fields();

// `defaults` is what holds for absent fields. null counts as absent, and an unknown field is ignored, because OpenAI's clients send more
// than they need; one that would constrain the answer in a way this server does not know is refused. Throws InputError naming the field.
Call parse_call(const Json& body, Api api, Call defaults);

inline constexpr int max_choices = 8, max_prompts = 16, max_inputs = 2048;

}  // namespace kylin::server
