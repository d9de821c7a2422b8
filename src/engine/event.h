// What the engine tells a client: one event for every token, the last one with the reason why the answer ends.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/sampler.h"

namespace kylin {

class Activations;

using RequestId = uint64_t;

enum class FinishReason : uint8_t {
    stop,       // an end token or a stop string
    length,     // max_tokens, or the context is full
    cancelled,  // by cancel(), or because the engine ends
    error,      // Finish::message says which
    not_finite  // an error too: the model's last values were NaN or infinite
};
std::string_view name(FinishReason reason);
constexpr bool is_error(FinishReason reason) { return reason == FinishReason::error || reason == FinishReason::not_finite; }

struct Usage {
    int n_prompt = 0;
    int n_reused = 0;                   // of the prompt, whose keys and values were still in the cache
    int n_answer = 0;                   // end token included
    int n_drafted = 0, n_accepted = 0;  // tokens that were guessed and run, and those of them that became the answer
};

struct Timings {
    double queue_seconds = 0;   // from submit to the first step
    double prompt_seconds = 0;  // from there to the first token
    double answer_seconds = 0;  // from there to the last token
};

double prompt_tokens_per_second(const Usage& usage, const Timings& timings);
double answer_tokens_per_second(const Usage& usage, const Timings& timings);  // the first token counts as the prompt's work

struct Finish {
    FinishReason reason;
    std::string message;  // of an error
    Usage usage;
    Timings timings;
    std::shared_ptr<const Activations> activations = {};  // when the request was watched
};

struct TokenEvent {
    std::optional<int32_t> token = {};        // absent when the answer ends without one
    std::string text = {};                    // whole characters; may be empty while a stop string is possible
    std::vector<TokenLogprob> logprobs = {};  // when asked for: this token, then the best ones
    std::vector<float> embedding = {};        // when asked for, together with the finish: the final norm of the prompt's last token
    std::optional<Finish> finish = {};
};

// Called on the engine's thread: must be quick, may throw nothing but std::bad_alloc before it has taken the event, and must not call the
// engine's destructor.
using Sink = std::function<void(const TokenEvent&)>;

}  // namespace kylin
