// What the routes that ask for an answer have in common.
#pragma once
#include "server/answer_format.h"
#include "server/api.h"
#include "server/request_schema.h"

namespace kylin::server {

struct CallRefused {  // thrown for a call whose status is not 400
    int status;
    std::string what, param;
};

// The call of a body, with this model's defaults, for this model, and with a seed. Throws InputError or CallRefused.
Call read_call(const ApiContext& context, const Asked& asked, Api api);

// The call's n choices for each prompt, each choice with a seed of its own.
std::vector<GenerationRequest> requests_of(const ServedModel& model, const Call& call, const std::vector<std::vector<int32_t>>& prompts);

AnswerLabel label_of(const ServedModel& model, const Call& call, std::string id);

}  // namespace kylin::server
