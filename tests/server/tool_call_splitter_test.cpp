#include "server/tool_call_splitter.h"

#include <gtest/gtest.h>

namespace kylin::server {
namespace {

struct Answer {
    std::string content;
    std::vector<std::string> calls;  // name(arguments)
    bool operator==(const Answer&) const = default;
};

std::shared_ptr<const ToolUse> offered() { return std::make_shared<const ToolUse>(ToolUse{.functions = {{"f", {}}, {"g", {}}}}); }

void add(Answer& answer, ToolCallSplitter::Parts parts) {
    answer.content += parts.content;
    for (const ToolCall& call : parts.calls) {
        EXPECT_EQ(call.index, answer.calls.size());
        answer.calls.push_back(call.name + "(" + call.arguments + ")");
    }
}

Answer split(std::string_view text, size_t first_cut, size_t second_cut) {
    ToolCallSplitter splitter(offered());
    Answer answer;
    add(answer, splitter.push(text.substr(0, first_cut)));
    add(answer, splitter.push(text.substr(first_cut, second_cut - first_cut)));
    add(answer, splitter.push(text.substr(second_cut)));
    add(answer, splitter.finish());
    EXPECT_EQ(splitter.n_calls(), answer.calls.size());
    return answer;
}

// However the text is cut.
void expect_split(std::string_view text, const Answer& expected) {
    for (size_t first = 0; first <= text.size(); ++first)
        for (size_t second = first; second <= text.size(); ++second) {
            const Answer answer = split(text, first, second);
            ASSERT_EQ(answer.content, expected.content) << text << " cut at " << first << ", " << second;
            ASSERT_EQ(answer.calls, expected.calls) << text << " cut at " << first << ", " << second;
        }
}

TEST(ToolCallSplitter, LeavesOtherTextAlone) {
    expect_split("", {});
    expect_split("a <tool_cal\n\nb <<tool_call ", {"a <tool_cal\n\nb <<tool_call ", {}});
    expect_split("</tool_call>", {"</tool_call>", {}});
}

TEST(ToolCallSplitter, TakesCallsOutWithTheWhiteSpaceAroundThem) {
    expect_split("<tool_call>\n{\"name\": \"f\", \"arguments\": {\"b\": 1, \"a\": \"x\"}}\n</tool_call>", {"", {R"(f({"b":1,"a":"x"}))"}});
    expect_split("Let me.\n\n<tool_call>{\"name\": \"g\"}</tool_call>\n<tool_call>{\"name\":\"f\",\"arguments\":\"{}\"}</tool_call>\n",
                 {"Let me.", {"g({})", "f({})"}});
    expect_split("<tool_call>{\"name\": \"f\"}</tool_call>\nso", {"\nso", {"f({})"}});
}

// A model that ends its answer instead of the call, or is stopped there.
TEST(ToolCallSplitter, TakesACallWhoseEndIsTheAnswersEnd) {
    expect_split("a <tool_call>{\"name\": \"f\", \"arguments\": {}}\n", {"a", {"f({})"}});
}

TEST(ToolCallSplitter, WhatIsNoCallStaysText) {
    for (const char* text :
         {"<tool_call>{\"name\": \"f\", \"argum", "a \n<tool_call>no</tool_call> ", "<tool_call>{\"name\": \"h\"}</tool_call>",
          "<tool_call>[]</tool_call>", "<tool_call>{\"name\": \"f\", \"arguments\": 3}</tool_call>",
          "<tool_call>{\"name\": \"f\", \"arguments\": \"{\"}</tool_call>", "<tool_call>{\"name\": 1}</tool_call>"})
        expect_split(text, {text, {}});
    const std::string deep = "<tool_call>" + std::string(100000, '[') + "</tool_call>";
    EXPECT_EQ(split(deep, 5, 50000), (Answer{deep, {}}));
}

}  // namespace
}  // namespace kylin::server
