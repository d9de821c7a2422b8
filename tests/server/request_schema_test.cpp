#include "server/request_schema.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace kylin::server {
namespace {

Json chat(const std::string& members = "") {
    return parse_json(R"({"messages": [{"role": "user", "content": "x"}])" + (members.empty() ? "" : ", " + members) + "}");
}

Call parsed(const Json& body, Api api) {
    const Call defaults;
    return parse_call(body, api, defaults);
}

std::string where(const Json& body, Api api) {
    try {
        parsed(body, api);
    } catch (const InputError& e) {
        return e.where();
    }
    return "";
}

TEST(RequestSchema, ReadsEveryField) {
    const Call call = parsed(
        chat(R"("model": "m", "max_tokens": 5, "temperature": 0.5, "top_k": 3, "stop": ["a", "b"], "seed": -1, "n": 2, "stream": true,
        "stream_options": {"include_usage": true}, "logprobs": true, "top_logprobs": 4, "logit_bias": {"7": -100},
        "chat_template_kwargs": {"enable_thinking": false, "other": 1}, "frequency_penalty": 1)"),
        api_chat);
    EXPECT_EQ(call.model, "m");
    EXPECT_EQ(call.spec.max_tokens, 5);
    EXPECT_EQ(call.spec.sampling.temperature, 0.5);
    EXPECT_EQ(call.spec.sampling.top_k, 3);
    EXPECT_EQ(call.spec.sampling.frequency_penalty, 1);
    EXPECT_EQ(call.spec.sampling.logit_bias, (std::vector<std::pair<int32_t, float>>{{7, -100.0f}}));
    EXPECT_EQ(call.spec.stop, (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(call.seed, UINT64_MAX);
    EXPECT_EQ(call.n, 2);
    EXPECT_TRUE(call.stream && call.include_usage);
    EXPECT_EQ(call.spec.logprobs, 4);
    EXPECT_EQ(call.enable_thinking, false);
    EXPECT_EQ(dump(call.template_variables), R"({"other":1})");
}

TEST(RequestSchema, AbsentAndNullAreTheDefault) {
    Call defaults;
    defaults.spec.sampling.temperature = 0.6;
    defaults.spec.max_tokens = 16;
    for (const RequestField& field : request_fields()) {
        if (!(field.apis & api_chat) || field.name == "messages") continue;
        const Call call = parse_call(chat("\"" + std::string(field.name) + "\": null"), api_chat, defaults);
        EXPECT_EQ(call.spec.sampling.temperature, 0.6);
        EXPECT_EQ(call.spec.max_tokens, 16);
        EXPECT_EQ(call.n, 1);
    }
    EXPECT_NO_THROW(parsed(chat(R"("user": "me", "store": false, "no_such_field": [1])"), api_chat));
}

// Every field against values of every other type: either an error that names it, or nothing at all.
TEST(RequestSchema, NamesTheFieldAtFault) {
    for (const Api api : {api_generate, api_completions, api_chat, api_embeddings})
        for (const RequestField& field : request_fields()) {
            if (!(field.apis & api)) continue;
            int refused = 0;
            for (const char* value : {"true", "-1", "9007199254740992", "18446744073709551616", "1.5", "\"x\"", "[[]]", "{\"a\": []}"}) {
                Json body = api == api_chat ? chat() : Json{{api == api_embeddings ? "input" : "prompt", "x"}};
                body[std::string(field.name)] = parse_json(value);
                const std::string name = where(body, api);
                if (name.empty()) continue;
                ++refused;
                // What needs a partner, or holds fields of its own, names these.
                const std::string whole(field.name);
                EXPECT_TRUE(name == whole || name.starts_with(whole + ".") || name.starts_with(whole + "["))
                    << field.name << " = " << value << ": " << name;
            }
            EXPECT_TRUE(refused >= 4 || field.name == "messages" || field.name == "prompt" || field.name == "input") << field.name;
        }
}

TEST(RequestSchema, RefusesWhatCannotBeHonoured) {
    EXPECT_EQ(where({{"prompt", "x"}, {"response_format", {{"type", "json_object"}}}}, api_completions), "response_format");
    EXPECT_EQ(where({{"prompt", "x"}, {"tools", {1}}}, api_generate), "tools");
    EXPECT_EQ(where(chat(R"("tool_choice": "required")"), api_chat), "tool_choice");
    EXPECT_EQ(where(chat(R"("guided_json": {})"), api_chat), "guided_json");
    EXPECT_EQ(where({{"prompt", "x"}, {"suffix", "y"}}, api_completions), "suffix");
    EXPECT_EQ(where({{"prompt", "x"}, {"best_of", 2}}, api_completions), "best_of");
    EXPECT_EQ(where({{"prompt", "x"}, {"response_format", {{"type", "text"}}}}, api_generate), "");
    EXPECT_EQ(where(chat(R"("response_format": {"type": "text"}, "tools": [], "tool_choice": "none")"), api_chat), "");
}

TEST(RequestSchema, ChecksWhatBelongsTogether) {
    EXPECT_EQ(where(Json::object(), api_generate), "prompt");
    EXPECT_EQ(where(Json{{"messages", Json::array()}}, api_completions), "prompt");
    EXPECT_EQ(where(Json{{"prompt", "x"}}, api_chat), "messages");
    EXPECT_EQ(where(Json{{"prompt", "x"}}, api_embeddings), "input");
    EXPECT_EQ(where(Json{{"input", "x"}, {"encoding_format", "hex"}}, api_embeddings), "encoding_format");
    EXPECT_EQ(where(Json::array(), api_chat), "body");
    EXPECT_EQ(where(chat(R"("top_logprobs": 3)"), api_chat), "top_logprobs");
    EXPECT_EQ(where(chat(R"("stream_options": {})"), api_chat), "stream_options");
    EXPECT_EQ(where(Json{{"prompt", "x"}, {"echo", true}, {"logprobs", 1}}, api_completions), "echo");
    EXPECT_EQ(where(chat(R"("response_format": {"type": "json_object"}, "ignore_eos": true)"), api_chat), "ignore_eos");
    EXPECT_EQ(where(chat(R"("n": 9)"), api_chat), "n");
    EXPECT_EQ(where(chat(R"("temperature": -0.1)"), api_chat), "temperature");
    EXPECT_EQ(where(chat(R"("top_logprobs": 21, "logprobs": true)"), api_chat), "top_logprobs");
    EXPECT_EQ(where(Json{{"prompt", "x"}, {"logprobs", 21}}, api_completions), "logprobs");
    EXPECT_EQ(where(Json{{"input", "x"}, {"dimensions", 0}}, api_embeddings), "dimensions");
    EXPECT_EQ(where(chat(R"("max_tokens": 0)"), api_chat), "max_tokens");
    EXPECT_EQ(where(chat(R"("max_completion_tokens": 0)"), api_chat), "max_completion_tokens");
    for (const char* id : {"", "-1", "7x", "1234567890"})
        EXPECT_EQ(where(chat("\"logit_bias\": {\"" + std::string(id) + "\": 1}"), api_chat), "logit_bias") << id;
}

}  // namespace
}  // namespace kylin::server
