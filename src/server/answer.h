// One request's answer on its way: from the events of its choices to one response, or to a stream.
#pragma once
#include <memory>
#include <vector>

#include "server/answer_format.h"
#include "server/exchange.h"
#include "server/generations.h"
#include "server/think_splitter.h"
#include "server/tool_call_splitter.h"

namespace kylin::server {

struct AnswerPlan {
    Generations::Names names;
    std::vector<GenerationRequest> requests;
    std::unique_ptr<AnswerFormat> format;
    bool stream = false;
    std::shared_ptr<const ToolUse> tools = {};  // whose calls are taken out of the text
    bool starts_inside_thoughts = false;
    int n_per_prompt = 1;  // choices that share a prompt, which the usage counts once
};

// Throws QueueFull or InputError before anything was sent. What it needs to live on, the generations hold.
void start_answer(Generations& generations, const Tokenizer& tokenizer, AnswerPlan plan, std::shared_ptr<Exchange> exchange);

}  // namespace kylin::server
