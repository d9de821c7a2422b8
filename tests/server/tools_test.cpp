#include "server/tools.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "server/messages.h"
#include "server/request_schema.h"

namespace kylin::server {
namespace {

Json tool(const std::string& name, const Json& more = Json::object()) {
    Json function = {{"name", name}};
    function.update(more);
    return {{"type", "function"}, {"function", function}};
}

Json chat(const Json& more) {
    Json body = {{"messages", {{{"role", "user"}, {"content", "x"}}}}};
    body.update(more);
    return body;
}

Call parsed(const Json& more) {
    const Call defaults;
    return parse_call(chat(more), api_chat, defaults);
}

std::string where(const Json& more) {
    try {
        read_conversation(parsed(more), true);
    } catch (const InputError& e) {
        return e.where();
    }
    return "";
}

ToolUse use_of(const Json& more) { return parsed(more).tools; }

TEST(Tools, AreRead) {
    const Json schema = {{"type", "object"}};
    const ToolUse use = use_of({{"tools", {tool("f", {{"parameters", schema}, {"strict", true}, {"description", "d"}}), tool("g-1_B")}}});
    ASSERT_EQ(use.functions.size(), 2u);
    EXPECT_EQ(use.functions[0].parameters, schema);
    EXPECT_TRUE(use.functions[0].strict);
    EXPECT_TRUE(use.functions[1].parameters.is_null());
    EXPECT_TRUE(use.possible() && use.constrained() && use.parallel);
    EXPECT_FALSE(use_of({{"tools", {tool("f")}}}).constrained());
    EXPECT_TRUE(use_of({{"tools", {tool("f")}}, {"tool_choice", "required"}}).constrained());
    EXPECT_FALSE(use_of({{"tools", {tool("f")}}, {"tool_choice", "none"}}).possible());
    EXPECT_FALSE(use_of({{"tools", Json::array()}}).possible());
    EXPECT_EQ(use_of({{"tools", {tool("f")}}, {"tool_choice", tool("f")}}).only, "f");
}

TEST(Tools, NameWhatIsWrong) {
    const std::string field = "tools[0].function";
    EXPECT_EQ(where({{"tools", "f"}}), "tools");
    EXPECT_EQ(where({{"tools", {"f"}}}), "tools[0]");
    EXPECT_EQ(where({{"tools", {{{"type", "web_search"}}}}}), "tools[0].type");
    EXPECT_EQ(where({{"tools", {{{"type", "function"}}}}}), field);
    EXPECT_EQ(where({{"tools", {tool("")}}}), field + ".name");
    EXPECT_EQ(where({{"tools", {tool("a b")}}}), field + ".name");
    EXPECT_EQ(where({{"tools", {tool(std::string(65, 'a'))}}}), field + ".name");
    EXPECT_EQ(where({{"tools", {tool(std::string(64, 'a'))}}}), "");
    EXPECT_EQ(where({{"tools", {tool("f", {{"description", 1}})}}}), field + ".description");
    EXPECT_EQ(where({{"tools", {tool("f", {{"parameters", 1}})}}}), field + ".parameters");
    EXPECT_EQ(where({{"tools", {tool("f", {{"strict", 1}})}}}), field + ".strict");
    EXPECT_EQ(where({{"tools", {tool("f"), tool("f")}}}), "tools[1].function.name");
    EXPECT_EQ(where({{"tools", Json(max_tools + 1, tool("f"))}}), "tools");
    EXPECT_EQ(where({{"tools", {tool("f")}}, {"tool_choice", "any"}}), "tool_choice");
    EXPECT_EQ(where({{"tools", {tool("f")}}, {"tool_choice", tool("g")}}), "tool_choice.function.name");
    EXPECT_EQ(where({{"tools", {tool("f")}}, {"tool_choice", {{"type", "x"}}}}), "tool_choice.type");
    EXPECT_EQ(where({{"tools", {tool("f")}}, {"parallel_tool_calls", 1}}), "parallel_tool_calls");
    EXPECT_EQ(where({{"tools", {tool("f")}}, {"response_format", {{"type", "json_object"}}}}), "response_format");
    EXPECT_EQ(where({{"tools", {tool("f")}}, {"response_format", {{"type", "json_object"}}}, {"tool_choice", "none"}}), "");
    EXPECT_EQ(where({{"tools", {tool("f")}}, {"tool_choice", "required"}, {"ignore_eos", true}}), "ignore_eos");
}

Json called(const Json& function) {
    return {{"role", "assistant"}, {"content", nullptr}, {"tool_calls", {{{"id", "1"}, {"type", "function"}, {"function", function}}}}};
}

TEST(Messages, CarryCallsAndTheirResults) {
    Call call;
    call.messages = {{{"role", "user"}, {"content", "x"}},
                     called({{"name", "f"}, {"arguments", R"({"b": 1.50, "a": {}})"}}),
                     {{"role", "tool"}, {"tool_call_id", "1"}, {"content", "r"}}};
    call.tools.functions = {{"f", {}}};
    call.tools.declared = Json::array({tool("f")});
    const Conversation known = read_conversation(call, true);
    EXPECT_EQ(known.tools, call.tools.declared);
    EXPECT_EQ(known.messages[1]["tool_calls"][0]["function"]["arguments"], (Json{{"b", 1.5}, {"a", Json::object()}}));
    EXPECT_EQ(known.messages[2]["role"], "tool");

    const Conversation spelled = read_conversation(call, false);
    EXPECT_TRUE(spelled.tools.is_null());
    ASSERT_EQ(spelled.messages.size(), 4u);
    EXPECT_NE(spelled.messages[0]["content"].get<std::string>().find(dump(tool("f"))), std::string::npos);
    EXPECT_EQ(spelled.messages[2]["content"], "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"b\":1.5,\"a\":{}}}\n</tool_call>");
    EXPECT_EQ(spelled.messages[3], (Json{{"role", "user"}, {"content", "<tool_response>\nr\n</tool_response>"}, {"tool_call_id", "1"}}));
}

TEST(Messages, NameTheCallAtFault) {
    const auto fault = [](const Json& message) { return where({{"messages", Json::array({message})}}); };
    EXPECT_EQ(fault(called({{"name", "f"}, {"arguments", "{}"}})), "");
    EXPECT_EQ(fault(called({{"name", "f"}, {"arguments", "{"}})), "messages[0].tool_calls[0].function.arguments");
    EXPECT_EQ(fault(called({{"name", "f"}, {"arguments", "[]"}})), "messages[0].tool_calls[0].function.arguments");
    EXPECT_EQ(fault(called({{"name", "f"}})), "messages[0].tool_calls[0].function.arguments");
    EXPECT_EQ(fault(called({{"arguments", "{}"}})), "messages[0].tool_calls[0].function.name");
    EXPECT_EQ(fault({{"role", "assistant"}, {"content", nullptr}}), "messages[0].content");
    EXPECT_EQ(fault({{"role", "user"}, {"content", "x"}, {"tool_calls", {1}}}), "messages[0].tool_calls");
    EXPECT_EQ(fault({{"role", "assistant"}, {"tool_calls", {1}}}), "messages[0].tool_calls[0]");
    EXPECT_EQ(fault({{"role", "assistant"}, {"tool_calls", 1}}), "messages[0].tool_calls");
}

TEST(Messages, NameTheFieldAtFault) {
    const auto fault = [](const Json& message) { return where({{"messages", Json::array({message})}}); };
    const auto of = [](const Json& content) { return Json{{"role", "user"}, {"content", content}}; };
    EXPECT_EQ(where({{"messages", "x"}}), "messages");
    EXPECT_EQ(where({{"messages", {{"role", "user"}}}}), "messages");
    EXPECT_EQ(where({{"messages", Json::array()}}), "messages");
    EXPECT_EQ(fault({{"content", "x"}}), "messages[0].role");
    EXPECT_EQ(fault({{"role", "robot"}, {"content", "x"}}), "messages[0].role");
    EXPECT_EQ(fault({{"role", "user"}}), "messages[0].content");
    EXPECT_EQ(fault(of(1)), "messages[0].content");
    EXPECT_EQ(fault(of({{{"text", "x"}}})), "messages[0].content[0].type");
    EXPECT_EQ(fault(of({{{"type", "text"}, {"text", "x"}}, {{"type", "image_url"}, {"text", "x"}}})), "messages[0].content[1].type");
    EXPECT_EQ(fault(of({{{"type", "text"}}})), "messages[0].content[0].text");
    EXPECT_EQ(fault({{"role", "assistant"}, {"content", "x"}, {"reasoning_content", 1}}), "messages[0].reasoning_content");
    EXPECT_EQ(fault({{"role", "tool"}, {"content", "x"}, {"tool_call_id", 1}}), "messages[0].tool_call_id");
    EXPECT_EQ(fault(of({{{"type", "text"}, {"text", "x"}}})), "");
}

}  // namespace
}  // namespace kylin::server
