#include "server/answer_format.h"

namespace kylin::server {

Json to_json(const UsageSum& usage) {
    return {{"prompt_tokens", usage.n_prompt},
            {"completion_tokens", usage.n_answer},
            {"total_tokens", usage.n_prompt + usage.n_answer},
            {"prompt_tokens_details", {{"cached_tokens", usage.n_reused}}}};
}

std::string_view openai_name(FinishReason reason) { return reason == FinishReason::length ? "length" : "stop"; }

}  // namespace kylin::server
