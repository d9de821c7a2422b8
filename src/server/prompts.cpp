#include "server/prompts.h"

#include <fmt/format.h>

#include "base/error.h"
#include "server/json_fields.h"
#include "server/messages.h"

namespace kylin::server {
namespace {

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
    const Conversation conversation = read_conversation(call, model.chat_template.knows_tools());
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
