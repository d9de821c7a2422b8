// The grammars of whole answers.
#pragma once
#include <span>
#include <string>

#include "grammar/grammar.h"
#include "grammar/json_text.h"

namespace kylin::grammar {

// What comes before: a model that thinks writes its thoughts first, as any text up to </think>.
enum class Thoughts : uint8_t {
    none,
    possible,  // the answer may open them, with the model's own token for <think>
    open,      // the prompt has opened them
};

// A JSON object.
Grammar json_object_answer(Thoughts thoughts, const Limits& limits = {});

// A JSON value that satisfies the schema, which came in the field `name`. Throws InputError for what cannot be honoured.
Grammar json_schema_answer(const Json& schema, const std::string& name, Thoughts thoughts, const Limits& limits = {});

struct Tool {
    std::string name;
    const Json* parameters;  // a schema; nullptr: it takes none
    std::string where;       // the field of the parameters
};

// Calls in the Hermes format that Qwen writes, the tags as the model's own tokens where it has them:
//   <tool_call>
//   {"name": "get_time", "arguments": {…}}
//   </tool_call>
// one to max_calls of them, each on lines of its own. Throws InputError when there are no tools, or for what cannot be honoured.
Grammar tool_calls_answer(std::span<const Tool> tools, uint32_t max_calls, Thoughts thoughts, const Limits& limits = {});

// Any text, which may end with calls: what is behind the first tag is as above.
Grammar text_or_tool_calls_answer(std::span<const Tool> tools, uint32_t max_calls, Thoughts thoughts, const Limits& limits = {});

}  // namespace kylin::grammar
