// Takes tool calls out of an answer that arrives in pieces:
//   <tool_call>
//   {"name": "get_time", "arguments": {…}}
//   </tool_call>
// What looks like a call and is none, or calls a function that nobody offered, stays text.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/tools.h"

namespace kylin::server {

struct ToolCall {
    size_t index;  // among the calls of the answer
    std::string name;
    std::string arguments;  // a JSON object
};

class ToolCallSplitter {
public:
    struct Parts {
        std::string content;
        std::vector<ToolCall> calls;
    };
    explicit ToolCallSplitter(std::shared_ptr<const ToolUse> offered) : offered_(std::move(offered)) {}
    Parts push(std::string_view text);
    Parts finish();  // what was held back because it could have become a call
    size_t n_calls() const { return n_calls_; }

private:
    bool take_call(Parts& parts, bool last);
    bool take_text(Parts& parts, bool last);
    void add_call(Parts& parts, std::string_view text, std::string_view written);

    std::shared_ptr<const ToolUse> offered_;
    std::string held_;
    bool inside_ = false;  // held_ begins with white space, perhaps, and the opening tag
    size_t searched_ = 0;  // so much of held_ has no closing tag
    size_t n_calls_ = 0;
};

}  // namespace kylin::server
