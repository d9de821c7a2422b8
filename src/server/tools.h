// tools and tool_choice: the functions that a model may call, in the Hermes format that Qwen writes.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/answers.h"
#include "grammar/constraint.h"
#include "server/json.h"

namespace kylin::server {

inline constexpr size_t max_tools = 128;

struct ToolUse {
    struct Function {
        std::string name;
        Json parameters;  // a schema, or null
        bool strict = false;
    };
    enum class Choice : uint8_t { automatic, none, required };

    std::vector<Function> functions = {};
    Json declared = {};  // the client's array, for the chat template
    Choice choice = Choice::automatic;
    std::string only = {};  // of required: the one function to call
    bool parallel = true;

    bool possible() const { return !functions.empty() && choice != Choice::none; }
    // Whether what is written is bound by a grammar; else it is any text, in which calls are looked for.
    bool constrained() const;
    const Function* find(std::string_view name) const;
};

// Each throws InputError.
void read_tools(const Json& value, std::string_view name, ToolUse& use);
void read_tool_choice(const Json& value, std::string_view name, ToolUse& use);
void check_tool_choice(const ToolUse& use);

// nullptr: any text. Throws InputError for parameters that cannot be honoured.
std::shared_ptr<const grammar::Constraint> constraint_for(const ToolUse& use, grammar::Thoughts thoughts,
                                                          const std::shared_ptr<const grammar::MaskCache>& masks);

}  // namespace kylin::server
