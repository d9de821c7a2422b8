#include "server/tools.h"

#include <algorithm>
#include <fmt/format.h>

#include "base/error.h"
#include "server/json_fields.h"

namespace kylin::server {
namespace {

constexpr uint32_t max_calls = 16;  // in one answer that must call

ToolUse::Function read_function(const Json& tool, const std::string& where) {
    as_object(tool, where);
    if (required_member(tool, "type", where) != "function") throw InputError(where + ".type", "only \"function\" is supported");
    const std::string at = where + ".function";
    const Json& function = as_object(required_member(tool, "function", where), at);
    ToolUse::Function read{.name = as_identifier(required_member(function, "name", at), at + ".name"), .parameters = {}};
    if (const auto it = function.find("description"); it != function.end() && !it->is_null()) as_string(*it, at + ".description");
    if (const auto it = function.find("parameters"); it != function.end() && !it->is_null())
        read.parameters = as_object(*it, at + ".parameters");
    if (const auto it = function.find("strict"); it != function.end() && !it->is_null()) read.strict = as_bool(*it, at + ".strict");
    return read;
}

// Where an answer may be text, only the functions that ask for it are held to their schema.
std::vector<grammar::Tool> grammar_tools(const ToolUse& use) {
    static const Json any_object = Json::object();
    std::vector<grammar::Tool> tools;
    for (size_t i = 0; i < use.functions.size(); ++i) {
        const ToolUse::Function& f = use.functions[i];
        if (!use.only.empty() && f.name != use.only) continue;
        const bool held = use.choice == ToolUse::Choice::required || f.strict;
        tools.push_back({f.name,
                         !held                    ? &any_object
                         : f.parameters.is_null() ? nullptr
                                                  : &f.parameters,
                         fmt::format("tools[{}].function.parameters", i)});
    }
    return tools;
}

}  // namespace

bool ToolUse::constrained() const {
    return possible() && (choice == Choice::required || std::ranges::any_of(functions, [](const Function& f) { return f.strict; }));
}

const ToolUse::Function* ToolUse::find(std::string_view name) const {
    const auto it = std::ranges::find(functions, name, &Function::name);
    return it == functions.end() ? nullptr : &*it;
}

void read_tools(const Json& value, std::string_view name, ToolUse& use) {
    if (!value.is_array()) throw InputError(std::string(name), "must be an array");
    if (value.size() > max_tools)
        throw InputError(std::string(name), fmt::format("{} of them; at most {} are allowed", value.size(), max_tools));
    for (size_t i = 0; i < value.size(); ++i) {
        const std::string where = fmt::format("{}[{}]", name, i);
        ToolUse::Function function = read_function(value[i], where);
        if (use.find(function.name)) throw InputError(where + ".function.name", "\"" + function.name + "\" is there twice");
        use.functions.push_back(std::move(function));
    }
    use.declared = value;
}

void read_tool_choice(const Json& value, std::string_view name, ToolUse& use) {
    using Choice = ToolUse::Choice;
    const std::string where(name);
    if (value.is_string()) {
        if (says(value, "none")) use.choice = Choice::none;
        if (says(value, "required")) use.choice = Choice::required;
        if (!says(value, "none") && !says(value, "required") && !says(value, "auto"))
            throw InputError(where, dump(value) + " is none of none, auto, required, and no function");
        return;
    }
    as_object(value, name);
    if (!says(required_member(value, "type", where), "function")) throw InputError(where + ".type", "only \"function\" is supported");
    const Json& function = as_object(required_member(value, "function", where), where + ".function");
    use.only = as_string(required_member(function, "name", where + ".function"), where + ".function.name");
    use.choice = Choice::required;
}

void check_tool_choice(const ToolUse& use) {
    if (use.choice == ToolUse::Choice::required && use.functions.empty()) throw InputError("tool_choice", "needs tools");
    if (!use.only.empty() && !use.find(use.only)) throw InputError("tool_choice.function.name", "\"" + use.only + "\" is not in tools");
}

std::shared_ptr<const grammar::Constraint> constraint_for(const ToolUse& use, grammar::Thoughts thoughts,
                                                          const std::shared_ptr<const grammar::MaskCache>& masks) {
    if (!use.constrained()) return nullptr;
    const std::vector<grammar::Tool> tools = grammar_tools(use);
    const uint32_t most = use.parallel ? max_calls : 1;
    grammar::Grammar answer = use.choice == ToolUse::Choice::required ? grammar::tool_calls_answer(tools, most, thoughts)
                                                                      : grammar::text_or_tool_calls_answer(tools, most, thoughts);
    return std::make_shared<const grammar::Constraint>(grammar::compile(std::move(answer)), masks);
}

}  // namespace kylin::server
