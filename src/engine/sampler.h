// Chooses the next token from its logits. The choice is a function of (settings, logits, tokens so far, seed, index) and of nothing else.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "engine/ranking.h"
#include "engine/request.h"

namespace kylin {

bool all_finite(std::span<const float> values);

struct Logits {
    std::span<const float> values;  // finite, one per vocabulary entry
    std::span<const float> peaks;   // of the values, see kernels.h
};

// Holds only scratch memory, so one sampler serves all sequences of a thread.
class Sampler {
public:
    struct Context {
        std::span<const int32_t> tokens;              // prompt and answer so far
        uint64_t index;                               // of the token to choose, in the answer
        const grammar::TokenMask* allowed = nullptr;  // only these, at least one of them; nullptr: all
    };
    int32_t choose(const Sampling& sampling, const Logits& logits, const Context& context);
    int32_t choose(const Sampling& sampling, std::span<const float> logits, const Context& context);  // for whom the peaks are not at hand

private:
    template <class Logit>
    int32_t choose_from(const Sampling& sampling, std::span<const Logit> logits, std::span<const Logit> peaks, const Context& context);
    void adjust(const Sampling& sampling, const Logits& logits, std::span<const int32_t> tokens);
    void change(int32_t id, double logit);

    std::vector<double> adjusted_, adjusted_peaks_;
    std::vector<float> peaks_;
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
