#include "engine/event.h"

namespace kylin {
namespace {

double rate(int n, double seconds) { return n > 0 && seconds > 0 ? n / seconds : 0; }

}  // namespace

std::string_view name(FinishReason reason) {
    constexpr std::string_view names[] = {"stop", "length", "cancelled", "error", "not_finite"};  // in the order of FinishReason
    return names[static_cast<size_t>(reason)];
}

double prompt_tokens_per_second(const Usage& usage, const Timings& timings) {
    return rate(usage.n_prompt - usage.n_reused, timings.prompt_seconds);
}

double answer_tokens_per_second(const Usage& usage, const Timings& timings) { return rate(usage.n_answer - 1, timings.answer_seconds); }

}  // namespace kylin
