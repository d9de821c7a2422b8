// Chooses the next token from its logits. The choice is a function of (settings, logits, tokens so far, seed, index) and of nothing else.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "engine/ranking.h"
#include "engine/request.h"

namespace kylin {

bool all_finite(std::span<const float> logits);

// Holds only scratch memory, so one sampler serves all sequences of a thread.
class Sampler {
public:
    struct Context {
        std::span<const int32_t> tokens;              // prompt and answer so far
        uint64_t index;                               // of the token to choose, in the answer
        const grammar::TokenMask* allowed = nullptr;  // only these, at least one of them; nullptr: all
    };
    // `logits` are finite, one per vocabulary entry.
    int32_t choose(const Sampling& sampling, std::span<const float> logits, const Context& context);

private:
    void adjust(const Sampling& sampling, std::span<const float> logits, std::span<const int32_t> tokens);

    std::vector<double> adjusted_;
    Ranking ranking_;
};

struct TokenLogprob {
    int32_t id;
    double logprob;
};

// The model's own distribution, before any sampling step, over the tokens that a grammar allows: the chosen token first, then the n best
// in order.
std::vector<TokenLogprob> logprobs_of(std::span<const float> logits, int32_t chosen, int n, const grammar::TokenMask* allowed = nullptr);

}  // namespace kylin
