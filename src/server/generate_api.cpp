// The original's routes: generate, encode, decode, benchmark.
#include <fmt/format.h>

#include "base/error.h"
#include "engine/philox.h"
#include "server/answer.h"
#include "server/calls.h"
#include "server/json_fields.h"
#include "server/prompts.h"

namespace kylin::server {
namespace {

void generate(ApiContext& context, const Asked& asked, bool stream) {
    Call call = read_call(context, asked, api_generate);
    if (call.prompt.get_ref<const std::string&>().empty()) throw InputError("prompt", "it is empty");
    if (call.raw && !call.system.empty()) throw InputError("system", "not together with raw");
    call.messages = conversation_of(call.system, call.prompt);
    const std::vector<int32_t> prompt =
        call.raw ? raw_prompt(context.model.tokenizer, call.prompt.get<std::string>()) : chat_prompt(context.model, call).tokens;
    AnswerPlan plan{.names = {asked.request.id, asked.request.id},
                    .requests = requests_of(context.model, call, {prompt}),
                    .format = make_generate_format(label_of(context.model, call, asked.request.id), *call.seed),
                    .stream = stream};
    start_answer(context.generations, context.model.tokenizer, std::move(plan), asked.exchange);
}

const Json& required(const Json& body, const char* name) {
    if (!body.is_object()) throw InputError("body", "must be a JSON object");
    const auto it = body.find(name);
    if (it == body.end() || it->is_null()) throw InputError(name, "is missing");
    return *it;
}

int int_or(const Json& body, const char* name, int fallback, int high) {
    const auto it = body.find(name);
    return it == body.end() || it->is_null() ? fallback : as_int(*it, name, 1, high);
}

class BenchmarkFormat final : public AnswerFormat {
public:
    Json whole(std::span<const Piece> choices, const UsageSum& usage) const override {
        const Finish& f = *choices[0].finish;
        return {{"prompt_tokens", usage.n_prompt},
                {"answer_tokens", usage.n_answer},
                {"queue_seconds", f.timings.queue_seconds},
                {"prompt_seconds", f.timings.prompt_seconds},
                {"answer_seconds", f.timings.answer_seconds},
                {"prompt_tokens_per_second", prompt_tokens_per_second(f.usage, f.timings)},
                {"answer_tokens_per_second", answer_tokens_per_second(f.usage, f.timings)}};
    }
    std::vector<Json> first(size_t) const override { return {}; }
    std::vector<Json> chunks(size_t, const Piece&) override { return {}; }
    std::vector<Json> last(const UsageSum&) const override { return {}; }
};

}  // namespace

void post_generate(ApiContext& context, const Asked& asked) { generate(context, asked, false); }
void post_generate_stream(ApiContext& context, const Asked& asked) { generate(context, asked, true); }

void post_encode(ApiContext& context, const Asked& asked) {
    const Json body = parse_json(asked.request.body);
    const std::string& text = as_string(required(body, "text"), "text");
    const auto special = body.find("special");
    const bool parse = special != body.end() && !special->is_null() && as_bool(*special, "special");
    const std::vector<int32_t> tokens = context.model.tokenizer.encode(text, parse ? Special::parse : Special::text);
    asked.exchange->respond({.body = dump({{"tokens", tokens}, {"count", tokens.size()}}) + "\n"});
}

void post_decode(ApiContext& context, const Asked& asked) {
    const Json body = parse_json(asked.request.body);
    const std::vector<int32_t> tokens = known_ids(context.model.tokenizer, required(body, "tokens"), "tokens");
    asked.exchange->respond({.body = dump({{"text", context.model.tokenizer.decode(tokens)}}) + "\n"});
}

// Random tokens, so that nothing of the prompt is in the cache; it takes its turn among the other requests.
void post_benchmark(ApiContext& context, const Asked& asked) {
    const Json body = asked.request.body.empty() ? Json::object() : parse_json(asked.request.body);
    if (!body.is_object()) throw InputError("body", "must be a JSON object");
    const int n_ctx = context.model.limits.n_ctx;
    const int n_prompt = int_or(body, "prompt_tokens", std::min(128, std::max(1, n_ctx / 2)), n_ctx);
    const int n_answer = int_or(body, "answer_tokens", std::min(32, std::max(1, n_ctx / 4)), n_ctx);
    if (n_prompt + n_answer > n_ctx)
        throw InputError("prompt_tokens", fmt::format("{} + {} tokens do not fit the context of {}", n_prompt, n_answer, n_ctx));
    Call call;
    call.seed = std::hash<std::string>{}(asked.request.id);
    call.spec.max_tokens = n_answer;
    call.spec.ignore_end = true;
    std::vector<int32_t> prompt;
    for (int i = 0; i < n_prompt; ++i)
        prompt.push_back(static_cast<int32_t>(uniform(*call.seed, static_cast<uint64_t>(i)) * context.model.limits.n_vocab));
    AnswerPlan plan{.names = {asked.request.id, asked.request.id},
                    .requests = requests_of(context.model, call, {prompt}),
                    .format = std::make_unique<BenchmarkFormat>()};
    start_answer(context.generations, context.model.tokenizer, std::move(plan), asked.exchange);
}

}  // namespace kylin::server
