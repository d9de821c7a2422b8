#include "engine/request.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>

#include "base/error.h"
#include "base/utf8.h"
#include "grammar/constraint.h"

namespace kylin {
namespace {

constexpr size_t max_stops = 16, max_stop_bytes = 1024, max_biases = 1024;
constexpr int max_logprobs = 20;
constexpr float max_bias = 100;

// Ranges: OpenAI's where it has the field, else wide enough for every use.
constexpr auto fields = std::to_array<SamplingField>({
    {"temperature", &Sampling::temperature, 0, 100, "Spread of the choice; 0 takes the likeliest token"},
    {"top_k", &Sampling::top_k, 0, 1 << 24, "Choose among the k likeliest tokens; 0: off"},
    {"top_p", &Sampling::top_p, 0, 1, "Choose among the likeliest tokens that together have this probability; 1: off"},
    {"min_p", &Sampling::min_p, 0, 1, "Drop tokens less likely than this share of the likeliest; 0: off"},
    {"typical_p", &Sampling::typical_p, 0, 1, "Choose among the most typical tokens that together have this probability; 1: off"},
    {"repetition_penalty", &Sampling::repetition_penalty, 0.01, 100, "Divide the logits of recent tokens; 1: off"},
    {"presence_penalty", &Sampling::presence_penalty, -2, 2, "Subtract from the logits of recent tokens"},
    {"frequency_penalty", &Sampling::frequency_penalty, -2, 2, "Subtract from the logits of recent tokens, once per occurrence"},
    {"penalty_window", &Sampling::penalty_window, -1, 1 << 24, "How many recent tokens the penalties count; -1: all"},
});

void check(const SamplingField& field, const Sampling& sampling) {
    const double value = std::visit([&](auto member) { return static_cast<double>(sampling.*member); }, field.member);
    if (!(value >= field.low && value <= field.high))
        throw InputError(std::string(field.name), fmt::format("{} is outside {} .. {}", value, field.low, field.high));
}

void check_token(std::string_view field, int32_t id, int n_vocab) {
    if (id < 0 || id >= n_vocab) throw InputError(std::string(field), fmt::format("token {} is outside the vocabulary of {}", id, n_vocab));
}

void check_count(std::string_view field, size_t n, size_t limit) {
    if (n > limit) throw InputError(std::string(field), fmt::format("{} entries; at most {} are allowed", n, limit));
}

void check_bias(const GenerationSpec& spec, int n_vocab) {
    check_count("logit_bias", spec.sampling.logit_bias.size(), max_biases);
    for (const auto& [id, bias] : spec.sampling.logit_bias) {
        check_token("logit_bias", id, n_vocab);
        if (!(std::abs(bias) <= max_bias))
            throw InputError("logit_bias", fmt::format("{} for token {} is outside {} .. {}", bias, id, -max_bias, max_bias));
    }
}

void check_stops(const GenerationSpec& spec, int n_vocab) {
    check_count("stop", spec.stop.size(), max_stops);
    for (const std::string& stop : spec.stop) {
        if (stop.empty()) throw InputError("stop", "a stop string is empty");
        if (stop.size() > max_stop_bytes)
            throw InputError("stop", fmt::format("a stop string has {} bytes; at most {} are allowed", stop.size(), max_stop_bytes));
        if (!is_utf8(stop)) throw InputError("stop", "a stop string is not valid UTF-8");
    }
    check_count("stop_tokens", spec.stop_tokens.size(), max_biases);
    for (const int32_t id : spec.stop_tokens) check_token("stop_tokens", id, n_vocab);
}

void check_lengths(const GenerationSpec& spec, int n_ctx) {
    if (spec.prompt.empty()) throw InputError("prompt", "it is empty");
    if (spec.embed && spec.prompt.size() > static_cast<size_t>(n_ctx))
        throw InputError("prompt", fmt::format("{} tokens do not fit a context of {}", spec.prompt.size(), n_ctx));
    if (!spec.embed && spec.prompt.size() >= static_cast<size_t>(n_ctx))
        throw InputError("prompt", fmt::format("{} tokens leave no room for an answer in a context of {}", spec.prompt.size(), n_ctx));
    if (spec.max_tokens != -1 && spec.max_tokens < 1)
        throw InputError("max_tokens", fmt::format("{} is neither positive nor -1", spec.max_tokens));
    if (spec.logprobs && (*spec.logprobs < 0 || *spec.logprobs > max_logprobs))
        throw InputError("logprobs", fmt::format("{} is outside 0 .. {}", *spec.logprobs, max_logprobs));
}

void check_constraint(const GenerationSpec& spec, int n_vocab) {
    if (!spec.constraint) return;
    if (spec.ignore_end) throw InputError("ignore_eos", "an answer with a grammar ends where the grammar does");
    if (spec.constraint->n_tokens() > static_cast<size_t>(n_vocab))
        throw InputError("grammar", fmt::format("it is for {} tokens, and the model has {}", spec.constraint->n_tokens(), n_vocab));
}

}  // namespace

std::span<const SamplingField> sampling_fields() { return fields; }

GenerationRequest::GenerationRequest(GenerationSpec spec, const RequestLimits& limits) : spec_(std::move(spec)) {
    check_lengths(spec_, limits.n_ctx);
    for (const int32_t id : spec_.prompt) check_token("prompt", id, limits.n_vocab);
    for (const SamplingField& field : fields) check(field, spec_.sampling);
    check_bias(spec_, limits.n_vocab);
    check_stops(spec_, limits.n_vocab);
    check_constraint(spec_, limits.n_vocab);

    const int room = spec_.embed ? 1 : limits.n_ctx - static_cast<int>(spec_.prompt.size());
    spec_.max_tokens = spec_.max_tokens == -1 ? room : std::min(spec_.max_tokens, room);
}

}  // namespace kylin
