#include "server/calls.h"

#include <ctime>
#include <fmt/format.h>
#include <random>

#include "base/error.h"

namespace kylin::server {
namespace {

constexpr int generate_tokens = 128, completion_tokens = 16;  // when max_tokens is absent; the latter is OpenAI's

// Kept until the response is whole, some 500 bytes each. As many as 20 for each token of the default context.
constexpr size_t max_logprobs = size_t{21} * 8192;

uint64_t random_seed() {
    std::random_device device;
    // 53 bits: a client that reads numbers as doubles can give it back unchanged.
    return (static_cast<uint64_t>(device()) << 32 | device()) >> 11;
}

}  // namespace

Call read_call(const ApiContext& context, const Asked& asked, Api api) {
    Call defaults;
    defaults.spec.sampling = context.model.defaults;
    defaults.spec.watch = context.model.watch;
    if (api == api_generate) defaults.spec.max_tokens = generate_tokens;
    if (api == api_completions) defaults.spec.max_tokens = completion_tokens;
    Call call = parse_call(parse_json(asked.request.body), api, std::move(defaults));
    if (!call.model.empty() && call.model != context.model.name)
        throw CallRefused{404, "the model \"" + call.model + "\" is not served here; \"" + context.model.name + "\" is", "model"};
    if (!call.seed) call.seed = random_seed();
    return call;
}

std::vector<GenerationRequest> requests_of(const ServedModel& model, const Call& call, const std::vector<std::vector<int32_t>>& prompts) {
    std::vector<GenerationRequest> requests;
    size_t n_logprobs = 0;
    for (const auto& prompt : prompts)
        for (int i = 0; i < call.n; ++i) {
            GenerationSpec spec = call.spec;
            spec.prompt = prompt;
            spec.sampling.seed = *call.seed + static_cast<uint64_t>(i);
            const GenerationRequest& request = requests.emplace_back(std::move(spec), model.limits);
            if (call.spec.logprobs) n_logprobs += static_cast<size_t>(request.max_tokens()) * static_cast<size_t>(1 + *call.spec.logprobs);
        }
    if (!call.stream && n_logprobs > max_logprobs)
        throw InputError(
            "logprobs", fmt::format("up to {} of them in one response; at most {} are allowed: ask for fewer tokens or choices", n_logprobs,
                                    max_logprobs));
    return requests;
}

AnswerLabel label_of(const ServedModel& model, const Call& call, std::string id) {
    return {.id = std::move(id),
            .model = model.name,
            .created = static_cast<int64_t>(std::time(nullptr)),
            .include_usage = call.include_usage,
            .wants_logprobs = call.wants_logprobs};
}

}  // namespace kylin::server
