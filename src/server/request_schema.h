// The fields of the requests that ask for an answer: one table, which validates them and documents them.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/request.h"
#include "server/json.h"
#include "server/response_format.h"
#include "server/tools.h"

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
    ToolUse tools;
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

// Which values a field takes: in words, and where these are numbers as bounds.
struct Range {
    std::string words;
    std::optional<double> low = {}, high = {};

    Range(std::string text) : words(std::move(text)) {}
    Range(const char* text) : words(text) {}
    static Range at_least(int low);
    static Range between(double low, double high);

private:
    Range(std::string text, double low_, std::optional<double> high_) : words(std::move(text)), low(low_), high(high_) {}
};

struct RequestField {
    std::string_view name;
    unsigned apis;
    std::string type;  // one of those that api_document.cpp knows a schema for
    Range range;
    std::string fallback, meaning;                                       // for people
    void (*read)(const Json& value, std::string_view name, Call& call);  // throws InputError
};

// In the order of the documentation.
std::span<const RequestField> request_fields();

// A field that would shape the answer in a way that nothing here can. The value that asks for nothing is let through.
struct RefusedField {
    std::string_view name, harmless;  // as JSON; empty: only null
    unsigned apis = api_all;
};
std::span<const RefusedField> refused_fields();

// `defaults` is what holds for absent fields. null counts as absent, and an unknown field is ignored, because OpenAI's clients send more
// than they need; one that would constrain the answer in a way this server does not know is refused. Throws InputError naming the field.
Call parse_call(const Json& body, Api api, Call defaults);

inline constexpr int max_choices = 8, max_prompts = 16, max_inputs = 2048;

}  // namespace kylin::server
