// What a client asks of the engine. A GenerationRequest cannot exist invalid: its constructor checks every field and names the bad one.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace kylin {
namespace grammar {
class Constraint;
}

// How the next token is drawn. The steps run in llama.cpp's order:
// bias, penalties, top_k, typical_p, top_p, min_p, temperature.
struct Sampling {
    double temperature = 0;  // 0: always the largest logit
    int top_k = 0;           // 0: off
    double top_p = 1;
    double min_p = 0;
    double typical_p = 1;
    double repetition_penalty = 1;
    double presence_penalty = 0;
    double frequency_penalty = 0;
    int penalty_window = 64;  // last tokens, prompt included, that the penalties count; -1: all
    std::vector<std::pair<int32_t, float>> logit_bias = {};
    uint64_t seed = 0;
};

// One row per number of Sampling: requests, command line and documentation read the same table.
struct SamplingField {
    std::string_view name;
    std::variant<double Sampling::*, int Sampling::*> member;
    double low, high;  // inclusive
    std::string_view meaning;
};
std::span<const SamplingField> sampling_fields();

struct GenerationSpec {
    std::vector<int32_t> prompt = {};
    std::string cache_salt = {};  // shares cached prompts with requests of the same salt alone
    Sampling sampling = {};
    int max_tokens = -1;                    // -1: until the context is full
    std::vector<std::string> stop = {};     // the answer ends before the first of these
    std::vector<int32_t> stop_tokens = {};  // besides the model's own end tokens
    bool ignore_end = false;                // goes on after the model's end tokens
    std::optional<int> logprobs = {};       // report each token's log probability, and those of so many best tokens
    bool watch = false;                     // look at every value on the way: Finish::activations. Changes no bit
    bool embed = false;                     // no tokens: the answer is what the last token of the prompt becomes
    // What the answer may be; none: any text.
    std::shared_ptr<const grammar::Constraint> constraint = {};
};

struct RequestLimits {
    int n_vocab;
    int n_ctx;  // positions of one sequence: prompt and answer
};

class GenerationRequest {
public:
    GenerationRequest(GenerationSpec spec, const RequestLimits& limits);  // throws InputError
    const GenerationSpec& spec() const { return spec_; }
    int max_tokens() const { return spec_.max_tokens; }  // at least 1, and fits the context together with the prompt
    // The most that it will ever write to the KV cache: the last token of the answer is never run.
    int n_positions() const { return static_cast<int>(spec_.prompt.size()) + spec_.max_tokens - 1; }

private:
    GenerationSpec spec_;
};

}  // namespace kylin
