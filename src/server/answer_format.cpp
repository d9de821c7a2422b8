#include "server/answer_format.h"

namespace kylin::server {

Json to_json(const UsageSum& usage) {
    return {{"prompt_tokens", usage.n_prompt},
            {"completion_tokens", usage.n_answer},
            {"total_tokens", usage.n_prompt + usage.n_answer},
            {"prompt_tokens_details", {{"cached_tokens", usage.n_reused}}},
            {"completion_tokens_details",
             {{"accepted_prediction_tokens", usage.n_accepted}, {"rejected_prediction_tokens", usage.n_drafted - usage.n_accepted}}}};
}

Json to_json(const Usage& usage) {
    return {{"prompt_tokens", usage.n_prompt},
            {"cached_tokens", usage.n_reused},
            {"answer_tokens", usage.n_answer},
            {"drafted_tokens", usage.n_drafted},
            {"accepted_tokens", usage.n_accepted}};
}

Json timings_of(const Finish& finish) {
    const Timings& t = finish.timings;
    return {{"queue_seconds", t.queue_seconds},
            {"prompt_seconds", t.prompt_seconds},
            {"answer_seconds", t.answer_seconds},
            {"prompt_tokens_per_second", prompt_tokens_per_second(finish.usage, t)},
            {"answer_tokens_per_second", answer_tokens_per_second(finish.usage, t)}};
}

std::string_view openai_name(FinishReason reason) { return reason == FinishReason::length ? "length" : "stop"; }

}  // namespace kylin::server
