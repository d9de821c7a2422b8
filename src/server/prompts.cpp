#include "server/prompts.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "base/error.h"
#include "server/json_fields.h"

namespace kylin::server {
namespace {

// A string, or an array of {"type": "text", "text": …}.
std::string text_of(const Json& content, const std::string& where) {
    if (content.is_string()) return content.get<std::string>();
    if (!content.is_array()) throw InputError(where, "must be a string or an array of text parts");
    std::string text;
    for (size_t i = 0; i < content.size(); ++i) {
        const std::string at = where + "[" + std::to_string(i) + "]";
        const Json& part = as_object(content[i], at);
        const auto type = part.find("type"), words = part.find("text");
        if (type == part.end() || *type != "text") throw InputError(at + ".type", "only \"text\" is supported");
        if (words == part.end()) throw InputError(at + ".text", "is missing");
        text += as_string(*words, at + ".text");
    }
    return text;
}

Json checked_message(const Json& given, const std::string& where) {
    constexpr auto roles = std::to_array<std::string_view>({"system", "user", "assistant"});
    const Json& message = as_object(given, where);
    if (!message.contains("role")) throw InputError(where + ".role", "is missing");
    std::string role = as_string(message["role"], where + ".role");
    if (role == "developer") role = "system";  // OpenAI's newer name
    if (std::find(roles.begin(), roles.end(), role) == roles.end())
        throw InputError(where + ".role", "\"" + role + "\" is none of system, developer, user, assistant");
    if (const auto calls = message.find("tool_calls"); calls != message.end() && !calls->empty())
        throw InputError(where + ".tool_calls", "is not supported");
    if (!message.contains("content")) throw InputError(where + ".content", "is missing");
    Json checked = {{"role", role}, {"content", text_of(message["content"], where + ".content")}};
    if (const auto thoughts = message.find("reasoning_content"); thoughts != message.end() && !thoughts->is_null())
        checked["reasoning_content"] = as_string(*thoughts, where + ".reasoning_content");
    return checked;
}

grammar::Thoughts thoughts_behind(const std::vector<Segment>& segments, const Tokenizer& tokenizer) {
    using grammar::Thoughts;
    std::string_view text;
    if (!segments.empty() && segments.back().special == Special::parse) text = segments.back().text;
    text = text.substr(0, text.find_last_not_of('\n') + 1);
    if (text.ends_with("<think>")) return Thoughts::open;
    return text.ends_with("</think>") || !tokenizer.find("<think>") ? Thoughts::none : Thoughts::possible;
}

struct OneText {
    const Json& value;  // a string, or what should be token ids
    std::string where;
};

// "text", ["text", …], [ids] or [[ids], …]
std::vector<OneText> each_text(const Json& given, const std::string& field, size_t most) {
    const bool many = given.is_array() && !given.empty() && !given[0].is_number();
    if (!many) return {{given, field}};
    if (given.size() > most) throw InputError(field, fmt::format("{} texts; at most {} are allowed", given.size(), most));
    std::vector<OneText> texts;
    for (const Json& one : given) texts.push_back({one, fmt::format("{}[{}]", field, texts.size())});
    return texts;
}

}  // namespace

ChatPrompt chat_prompt(const ServedModel& model, const Call& call) {
    if (!call.messages.is_array() || call.messages.empty()) throw InputError("messages", "must be an array of at least one message");
    Conversation conversation;
    for (size_t i = 0; i < call.messages.size(); ++i)
        conversation.messages.push_back(checked_message(call.messages[i], "messages[" + std::to_string(i) + "]"));
    conversation.enable_thinking = call.enable_thinking;
    conversation.variables = call.template_variables;
    const std::vector<Segment> segments = model.chat_template.render(conversation);
    return {model.tokenizer.encode(segments), thoughts_behind(segments, model.tokenizer)};
}

std::vector<int32_t> known_ids(const Tokenizer& tokenizer, const Json& value, const std::string& where) {
    std::vector<int32_t> ids = as_ids(value, where);
    for (const int32_t id : ids)
        if (id >= tokenizer.n_tokens()) throw InputError(where, fmt::format("{} is no token of this model", id));
    return ids;
}

std::vector<int32_t> raw_prompt(const Tokenizer& tokenizer, const std::string& text) {
    std::vector<int32_t> tokens = tokenizer.encode(text, Special::parse);
    if (tokenizer.adds_bos()) tokens.insert(tokens.begin(), *tokenizer.bos());
    return tokens;
}

std::vector<RawPrompt> raw_prompts(const Tokenizer& tokenizer, const Json& prompt) {
    std::vector<RawPrompt> prompts;
    for (const auto& [value, where] : each_text(prompt, "prompt", max_prompts)) {
        if (value.is_string()) {
            prompts.push_back({raw_prompt(tokenizer, value.get<std::string>()), value.get<std::string>()});
            continue;
        }
        std::vector<int32_t> ids = known_ids(tokenizer, value, where);
        std::string text = tokenizer.decode(ids);
        prompts.push_back({std::move(ids), std::move(text)});
    }
    return prompts;
}

std::vector<std::vector<int32_t>> texts_to_embed(const ServedModel& model, const Json& input) {
    const Tokenizer& tokenizer = model.tokenizer;
    std::vector<std::vector<int32_t>> texts;
    for (const auto& [value, where] : each_text(input, "input", max_inputs)) {
        std::vector<int32_t>& tokens = texts.emplace_back();
        if (value.is_string()) {
            tokens = tokenizer.encode(value.get_ref<const std::string&>(), Special::text);
            if (tokenizer.adds_bos()) tokens.insert(tokens.begin(), *tokenizer.bos());
            if (tokenizer.adds_eos()) tokens.push_back(*tokenizer.eos());
        } else {
            tokens = known_ids(tokenizer, value, where);
        }
        if (tokens.empty()) throw InputError(where, "it is empty");
        if (tokens.size() > static_cast<size_t>(model.limits.n_ctx))
            throw InputError(where, fmt::format("{} tokens do not fit the context of {}", tokens.size(), model.limits.n_ctx));
    }
    return texts;
}

Json conversation_of(const std::string& system, const Json& user) {
    Json messages = Json::array();
    if (!system.empty()) messages.push_back({{"role", "system"}, {"content", system}});
    messages.push_back({{"role", "user"}, {"content", user}});
    return messages;
}

}  // namespace kylin::server
