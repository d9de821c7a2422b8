// OpenAI's routes that ask for an answer.
#include "server/answer.h"
#include "server/calls.h"
#include "server/prompts.h"

namespace kylin::server {

void post_chat_completions(ApiContext& context, const Asked& asked) {
    Call call = read_call(context, asked, api_chat);
    const ChatPrompt prompt = chat_prompt(context.model, call);
    call.spec.constraint = call.tools.constrained() ? constraint_for(call.tools, prompt.thoughts, context.model.masks)
                                                    : constraint_for(call.response_format, prompt.thoughts, context.model.masks);
    if (call.tools.possible() && !call.tools.constrained() && !call.tools.parallel) call.spec.stop.push_back("</tool_call>");
    const std::string id = "chatcmpl-" + asked.request.id;
    AnswerPlan plan{.names = {asked.request.id, id},
                    .requests = requests_of(context.model, call, {prompt.tokens}),
                    .format = make_chat_format(label_of(context.model, call, id), context.model.tokenizer),
                    .stream = call.stream,
                    .tools = call.tools.possible() ? std::make_shared<const ToolUse>(call.tools) : nullptr,
                    .starts_inside_thoughts = prompt.thoughts == grammar::Thoughts::open,
                    .n_per_prompt = call.n};
    start_answer(context.generations, context.model.tokenizer, std::move(plan), asked.exchange);
}

void post_completions(ApiContext& context, const Asked& asked) {
    const Call call = read_call(context, asked, api_completions);
    std::vector<std::vector<int32_t>> prompts;
    std::vector<std::string> echoes;
    for (RawPrompt& prompt : raw_prompts(context.model.tokenizer, call.prompt)) {
        prompts.push_back(std::move(prompt.tokens));
        for (int i = 0; i < call.n; ++i) echoes.push_back(call.echo ? prompt.text : std::string());
    }
    const std::string id = "cmpl-" + asked.request.id;
    AnswerPlan plan{.names = {asked.request.id, id},
                    .requests = requests_of(context.model, call, prompts),
                    .format = make_completion_format(label_of(context.model, call, id), context.model.tokenizer, std::move(echoes)),
                    .stream = call.stream,
                    .n_per_prompt = call.n};
    start_answer(context.generations, context.model.tokenizer, std::move(plan), asked.exchange);
}

}  // namespace kylin::server
