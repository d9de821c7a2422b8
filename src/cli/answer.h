// An answer as a command waits for it, shows it and reports it.
#pragma once
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "cli/session.h"

namespace kylin::cli {

struct Answer {
    std::string text;
    std::vector<int32_t> tokens;
    Finish finish;
};

// Sees every piece of text, and an empty piece now and then while none comes; false cancels the answer.
using Watcher = std::function<bool(std::string_view text)>;

// Throws InputError for a request that cannot be run, or that fails.
Answer answer(Session& session, GenerationSpec spec, const Watcher& watcher);

// "prompt 12 tokens, 310.0 tokens/s; answer 50 tokens, 88.1 tokens/s; stop"
std::string summary(const Finish& finish);
nlohmann::ordered_json to_json(const Answer& answer);

}  // namespace kylin::cli
