#include "server/messages.h"

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
        if (type == part.end() || !says(*type, "text")) throw InputError(at + ".type", "only \"text\" is supported");
        if (words == part.end()) throw InputError(at + ".text", "is missing");
        text += as_string(*words, at + ".text");
    }
    return text;
}

// The arguments of a call, which clients send as text; templates are written for the object.
Json checked_arguments(const Json& given, const std::string& where) {
    const std::string& text = as_string(given, where);
    try {
        Json arguments = text.empty() ? Json::object() : parse_json(text);
        if (arguments.is_object()) return arguments;
    } catch (const InputError&) {
        // said below
    }
    throw InputError(where, "must be a JSON object as a string");
}

Json checked_tool_calls(const Json& given, const std::string& where) {
    if (!given.is_array()) throw InputError(where, "must be an array");
    Json checked = Json::array();
    for (size_t i = 0; i < given.size(); ++i) {
        const std::string call = fmt::format("{}[{}]", where, i), at = call + ".function";
        const Json& function = as_object(required_member(as_object(given[i], call), "function", call), at);
        const std::string& name = as_string(required_member(function, "name", at), at + ".name");
        Json arguments = checked_arguments(required_member(function, "arguments", at), at + ".arguments");
        checked.push_back({{"type", "function"}, {"function", {{"name", name}, {"arguments", std::move(arguments)}}}});
        if (const auto id = given[i].find("id"); id != given[i].end()) checked.back()["id"] = as_string(*id, call + ".id");
    }
    return checked;
}

Json checked_message(const Json& given, const std::string& where) {
    constexpr auto roles = std::to_array<std::string_view>({"system", "user", "assistant", "tool"});
    const Json& message = as_object(given, where);
    if (!message.contains("role")) throw InputError(where + ".role", "is missing");
    std::string role = as_string(message["role"], where + ".role");
    if (role == "developer") role = "system";  // OpenAI's newer name
    if (std::find(roles.begin(), roles.end(), role) == roles.end())
        throw InputError(where + ".role", "\"" + role + "\" is none of system, developer, user, assistant, tool");
    Json checked = {{"role", role}, {"content", ""}};
    const auto calls = message.find("tool_calls");
    if (calls != message.end() && !calls->is_null() && !calls->empty()) {
        if (role != "assistant") throw InputError(where + ".tool_calls", "are of the assistant only");
        checked["tool_calls"] = checked_tool_calls(*calls, where + ".tool_calls");
    }
    const auto content = message.find("content");
    const bool has_content = content != message.end() && !(content->is_null() && checked.contains("tool_calls"));
    if (has_content) checked["content"] = text_of(*content, where + ".content");
    if (!has_content && !checked.contains("tool_calls")) throw InputError(where + ".content", "is missing");
    if (const auto thoughts = message.find("reasoning_content"); thoughts != message.end() && !thoughts->is_null())
        checked["reasoning_content"] = as_string(*thoughts, where + ".reasoning_content");
    if (const auto id = message.find("tool_call_id"); id != message.end() && !id->is_null())
        checked["tool_call_id"] = as_string(*id, where + ".tool_call_id");
    return checked;
}

std::string tools_text(const Json& tools) {
    std::string text = "# Tools\n\nYou may call these functions, which stand between <tools> tags:\n<tools>";
    for (const Json& tool : tools) text += "\n" + dump(tool);
    return text +
           "\n</tools>\n\nTo call one, answer with its name and its arguments as JSON between <tool_call> tags:\n"
           "<tool_call>\n{\"name\": \"a name\", \"arguments\": {}}\n</tool_call>";
}

std::string call_text(const Json& call) {
    const Json& function = call["function"];
    return "<tool_call>\n{\"name\": " + dump(function["name"]) + ", \"arguments\": " + dump(function["arguments"]) + "}\n</tool_call>";
}

void append(std::string& text, std::string_view separator, const std::string& more) {
    if (!text.empty()) text += separator;
    text += more;
}

// Calls into the words of their message, results into a message of the user, and the tools into the system message.
void spell_tools(Conversation& conversation) {
    for (Json& message : conversation.messages) {
        std::string& content = message["content"].get_ref<std::string&>();
        if (message.contains("tool_calls"))
            for (const Json& call : message["tool_calls"]) append(content, "\n", call_text(call));
        message.erase("tool_calls");
        if (!says(message["role"], "tool")) continue;
        message["role"] = "user";
        content = "<tool_response>\n" + content + "\n</tool_response>";
    }
    if (conversation.tools.is_null()) return;
    Json& messages = conversation.messages;
    if (!says(messages[0]["role"], "system")) messages.insert(messages.begin(), Json{{"role", "system"}, {"content", ""}});
    append(messages[0]["content"].get_ref<std::string&>(), "\n\n", tools_text(conversation.tools));
    conversation.tools = nullptr;
}

}  // namespace

Conversation read_conversation(const Call& call, bool knows_tools) {
    if (!call.messages.is_array() || call.messages.empty()) throw InputError("messages", "must be an array of at least one message");
    Conversation conversation;
    for (size_t i = 0; i < call.messages.size(); ++i)
        conversation.messages.push_back(checked_message(call.messages[i], "messages[" + std::to_string(i) + "]"));
    if (call.tools.possible()) conversation.tools = call.tools.declared;
    if (!knows_tools) spell_tools(conversation);
    conversation.enable_thinking = call.enable_thinking;
    conversation.variables = call.template_variables;
    return conversation;
}

}  // namespace kylin::server
