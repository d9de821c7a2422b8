#include "server/request_schema.h"

#include <algorithm>
#include <fmt/format.h>
#include <limits>

#include "base/error.h"
#include "server/json_fields.h"

namespace kylin::server {
namespace {

using Name = std::string_view;

constexpr int max_int = std::numeric_limits<int>::max();

void read_sampling(const Json& value, Name name, Call& call) {
    const auto fields = sampling_fields();
    const SamplingField& field = *std::find_if(fields.begin(), fields.end(), [&](const auto& f) { return f.name == name; });
    const double number = as_number(value, name);
    if (!(number >= field.low && number <= field.high))
        throw InputError(std::string(name), fmt::format("{} is outside {} .. {}", number, field.low, field.high));
    if (const auto* real = std::get_if<double Sampling::*>(&field.member)) call.spec.sampling.*(*real) = number;
    if (const auto* integer = std::get_if<int Sampling::*>(&field.member))
        call.spec.sampling.*(*integer) = as_int(value, name, static_cast<int>(field.low), static_cast<int>(field.high));
}

void read_seed(const Json& value, Name name, Call& call) {
    if (!value.is_number_integer()) throw InputError(std::string(name), "must be an integer of 64 bits");
    // A negative one is as good as any: its bits are taken.
    call.seed = value.is_number_unsigned() ? value.get<uint64_t>() : static_cast<uint64_t>(value.get<int64_t>());
}

// {"token id": bias}, as OpenAI has it.
void read_bias(const Json& value, Name name, Call& call) {
    for (const auto& [key, bias] : as_object(value, name).items()) {
        if (key.empty() || key.size() > 9 || key.find_first_not_of("0123456789") != key.npos)
            throw InputError(std::string(name), "\"" + key + "\" is no token id");
        call.spec.sampling.logit_bias.emplace_back(std::stoi(key), static_cast<float>(as_number(bias, name)));
    }
}

void read_stop(const Json& value, Name name, Call& call) {
    if (value.is_string()) return call.spec.stop.push_back(as_string(value, name));
    if (!value.is_array()) throw InputError(std::string(name), "must be a string or an array of strings");
    for (const Json& stop : value) call.spec.stop.push_back(as_string(stop, name));
}

void read_stream_options(const Json& value, Name name, Call& call) {
    const Json& options = as_object(value, name);
    if (const auto it = options.find("include_usage"); it != options.end() && !it->is_null())
        call.include_usage = as_bool(*it, "stream_options.include_usage");
}

void read_template_variables(const Json& value, Name name, Call& call) {
    call.template_variables = as_object(value, name);
    const auto it = call.template_variables.find("enable_thinking");
    if (it == call.template_variables.end()) return;
    call.enable_thinking = as_bool(*it, "chat_template_kwargs.enable_thinking");
    call.template_variables.erase(it);
}

void read_encoding(const Json& value, Name name, Call& call) {
    const std::string& encoding = as_string(value, name);
    if (encoding != "float" && encoding != "base64") throw InputError(std::string(name), "\"" + encoding + "\" is none of float, base64");
    call.base64 = encoding == "base64";
}

std::vector<RequestField> make_fields() {
    const std::string open = "–";
    std::vector<RequestField> fields{
        {"model", api_all | api_embeddings, "string", "the served model's name", "the served model", "Another name is 404",
         [](const Json& v, Name n, Call& c) { c.model = as_string(v, n); }},
        {"prompt", api_generate, "string", "not empty", "required", "What to ask",
         [](const Json& v, Name n, Call& c) { c.prompt = as_string(v, n); }},
        {"prompt", api_completions, "string, token ids, or an array of either", fmt::format("at most {} prompts", max_prompts), "required",
         "Text to continue, without the chat template", [](const Json& v, Name, Call& c) { c.prompt = v; }},
        {"messages", api_chat, "array", "at least one", "required", "Roles system, developer, user, assistant, tool; content is text",
         [](const Json& v, Name, Call& c) { c.messages = v; }},
        {"input", api_embeddings, "string, token ids, or an array of either", fmt::format("at most {} texts", max_inputs), "required",
         "What to embed; special tokens in a text are text", [](const Json& v, Name, Call& c) { c.input = v; }},
        {"encoding_format", api_embeddings, "string", "float, base64", "float", "Numbers, or 32-bit floats, the low byte first",
         read_encoding},
        {"dimensions", api_embeddings, "integer", "the model's own", "the model's own", "For clients that name it; no other is possible",
         [](const Json& v, Name n, Call& c) { c.dimensions = as_int(v, n, 1, max_int); }},
        {"system", api_generate, "string", open, "none", "System message",
         [](const Json& v, Name n, Call& c) { c.system = as_string(v, n); }},
        {"raw", api_generate, "boolean", open, "false", "Continue the prompt as plain text, without the chat template",
         [](const Json& v, Name n, Call& c) { c.raw = as_bool(v, n); }},
        {"enable_thinking", api_generate | api_chat, "boolean", open, "as the template has it", "Let the model think before it answers",
         [](const Json& v, Name n, Call& c) { c.enable_thinking = as_bool(v, n); }},
        {"chat_template_kwargs", api_chat, "object", open, "{}", "enable_thinking, and what else the model's template reads",
         read_template_variables},
        {"response_format", api_chat, "object", "text, json_object, json_schema", "text", "The form of the answer, enforced token by token",
         [](const Json& v, Name n, Call& c) { c.response_format = read_response_format(v, n); }},
        {"tools", api_chat, "array", fmt::format("at most {} functions", max_tools), "none",
         "Functions that the model may call; with strict, the arguments satisfy their schema",
         [](const Json& v, Name n, Call& c) { read_tools(v, n, c.tools); }},
        {"tool_choice", api_chat, "string or object", "none, auto, required, a function", "auto",
         "Whether it may or must call; a call that it must make is enforced token by token",
         [](const Json& v, Name n, Call& c) { read_tool_choice(v, n, c.tools); }},
        {"parallel_tool_calls", api_chat, "boolean", open, "true", "More than one call in an answer",
         [](const Json& v, Name n, Call& c) { c.tools.parallel = as_bool(v, n); }},
        {"max_tokens", api_all, "integer", Range::at_least(1), "generate 128, completions 16, chat until the context is full",
         "Tokens of the answer at most", [](const Json& v, Name n, Call& c) { c.spec.max_tokens = as_int(v, n, 1, max_int); }},
        {"max_completion_tokens", api_chat, "integer", Range::at_least(1), "max_tokens", "OpenAI's newer name; it wins over max_tokens",
         [](const Json& v, Name n, Call& c) { c.spec.max_tokens = as_int(v, n, 1, max_int); }},
        {"stream", api_openai, "boolean", open, "false", "Send the answer as it is made, as server-sent events",
         [](const Json& v, Name n, Call& c) { c.stream = as_bool(v, n); }},
        {"stream_options", api_openai, "object", "include_usage", "none", "Send the usage before the end of the stream",
         read_stream_options},
        {"n", api_openai, "integer", Range::between(1, max_choices), "1", "Answers to each prompt; the i-th is drawn with seed + i",
         [](const Json& v, Name n, Call& c) { c.n = as_int(v, n, 1, max_choices); }},
        {"stop", api_all, "string or array", "16 strings of 1024 bytes", "none", "The answer ends before the first of these", read_stop},
        {"stop_tokens", api_all, "array of token ids", "of the vocabulary", "none", "End the answer besides the model's own end tokens",
         [](const Json& v, Name n, Call& c) { c.spec.stop_tokens = as_ids(v, n); }},
        {"ignore_eos", api_all, "boolean", open, "false", "Go on after the model's end tokens",
         [](const Json& v, Name n, Call& c) { c.spec.ignore_end = as_bool(v, n); }},
        {"cache_salt", api_all, "string", open, "none",
         "Share cached prompts with requests of the same salt alone, so that times tell others nothing",
         [](const Json& v, Name n, Call& c) { c.spec.cache_salt = as_string(v, n); }},
        {"seed", api_all, "integer", "64 bits", "a random one", "Makes the choice repeatable", read_seed},
        {"numerics", api_all, "boolean", open, "false, with --watch true", "Watch the values of this answer, for GET /numerics",
         [](const Json& v, Name n, Call& c) { c.spec.watch = as_bool(v, n); }},
        {"logit_bias", api_all, "object", "1024 token ids, -100 .. 100", "none", "Added to the logits of these tokens", read_bias},
        {"logprobs", api_completions, "integer", Range::between(0, 20), "none", "Log probabilities of the tokens, and of so many best ones",
         [](const Json& v, Name n, Call& c) { c.wants_logprobs = true, c.top_logprobs = as_int(v, n, 0, 20); }},
        {"logprobs", api_chat, "boolean", open, "false", "Log probabilities of the tokens, before any sampling step",
         [](const Json& v, Name n, Call& c) { c.wants_logprobs = as_bool(v, n); }},
        {"top_logprobs", api_chat, "integer", Range::between(0, 20), "0", "And of so many best ones; needs logprobs",
         [](const Json& v, Name n, Call& c) { c.top_logprobs = as_int(v, n, 0, 20); }},
        {"echo", api_completions, "boolean", open, "false", "Put the prompt in front of the answer; not together with logprobs",
         [](const Json& v, Name n, Call& c) { c.echo = as_bool(v, n); }},
    };
    for (const SamplingField& field : sampling_fields())
        fields.push_back({field.name, api_all, std::holds_alternative<int Sampling::*>(field.member) ? "integer" : "number",
                          Range::between(field.low, field.high), "the model's recommendation", std::string(field.meaning), read_sampling});
    return fields;
}

constexpr RefusedField refused[] = {
    {"response_format", R"({"type":"text"})", api_generate | api_completions},
    {"tools", "[]", api_generate | api_completions},
    {"functions", "[]"},
    {"tool_choice", R"("none")", api_generate | api_completions},
    {"function_call", R"("none")"},
    {"modalities", R"(["text"])"},
    {"audio", ""},
    {"suffix", R"("")"},
    {"best_of", "1"},
    {"grammar", R"("")"},
    {"json_schema", ""},
    {"guided_json", ""},
    {"guided_regex", ""},
    {"guided_choice", ""},
    {"guided_grammar", ""},
    {"structured_outputs", ""},
    {"min_tokens", "0"},
    {"use_beam_search", "false"},
};

void check_refused(const Json& body, Api api) {
    for (const RefusedField& r : refused) {
        const auto it = r.apis & api ? body.find(r.name) : body.end();
        if (it == body.end() || it->is_null() || dump(*it) == r.harmless) continue;
        throw InputError(std::string(r.name),
                         r.harmless.empty() ? "is not supported" : "is not supported, except as " + std::string(r.harmless));
    }
}

void check_together(const Call& call, const Json& body, Api api) {
    const auto has = [&](const char* name) { return body.contains(name) && !body[name].is_null(); };
    const char* required = api == api_chat ? "messages" : api == api_embeddings ? "input" : "prompt";
    if (!has(required)) throw InputError(required, "is missing");
    if (api == api_chat && call.top_logprobs && !call.wants_logprobs) throw InputError("top_logprobs", "needs logprobs");
    if (has("stream_options") && (api & api_openai) && !call.stream) throw InputError("stream_options", "needs stream");
    check_tool_choice(call.tools);
    const bool has_form = call.response_format.kind != ResponseFormat::Kind::text;
    if (has_form && call.tools.possible()) throw InputError("response_format", "not together with tools, except with tool_choice none");
    if ((has_form || call.tools.constrained()) && call.spec.ignore_end)
        throw InputError("ignore_eos", "not together with response_format or enforced tools: the answer ends where its form does");
    if (call.echo && call.wants_logprobs) throw InputError("echo", "not together with logprobs: those of the prompt are not known");
}

}  // namespace

Range Range::at_least(int low) { return {fmt::format("{} and more", low), static_cast<double>(low), std::nullopt}; }

Range Range::between(double low, double high) { return {fmt::format("{} .. {}", low, high), low, high}; }

std::span<const RefusedField> refused_fields() { return refused; }

std::span<const RequestField> request_fields() {
    static const std::vector<RequestField> fields = make_fields();
    return fields;
}

Call parse_call(const Json& body, Api api, Call defaults) {
    if (!body.is_object()) throw InputError("body", "must be a JSON object");
    Call call = std::move(defaults);
    check_refused(body, api);
    for (const RequestField& field : request_fields()) {
        const auto it = field.apis & api ? body.find(field.name) : body.end();
        if (it != body.end() && !it->is_null()) field.read(*it, field.name, call);
    }
    check_together(call, body, api);
    if (call.wants_logprobs) call.spec.logprobs = call.top_logprobs.value_or(0);
    return call;
}

}  // namespace kylin::server
