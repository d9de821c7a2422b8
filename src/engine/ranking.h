// The candidates for the next token in the order (logit descending, id ascending), sorted only as far as somebody reads.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "grammar/token_mask.h"

namespace kylin {

struct Candidate {
    double logit;
    int32_t id;
};

class Ranking {
public:
    // Index = token id, Logit float or double. `allowed`: only these, at least one of them; nullptr: all.
    template <class Logit>
    void assign(std::span<const Logit> logits, const grammar::TokenMask* allowed);
    // The same, or fewer: at least the n best, 1 <= n. `peaks`: those of the logits, see kernels.h.
    template <class Logit>
    void assign_best(std::span<const Logit> logits, std::span<const Logit> peaks, const grammar::TokenMask* allowed, size_t n);

    size_t size() const { return candidates_.size(); }
    const Candidate& at(size_t rank);  // rank < size()
    void keep(size_t n);               // the first n, 1 <= n
    void keep(std::vector<Candidate> some);
    std::span<const Candidate> unordered() const { return candidates_; }

private:
    void add(size_t id, double logit) { candidates_.push_back({logit, static_cast<int32_t>(id)}); }

    std::vector<Candidate> candidates_;
    size_t n_sorted_ = 0;
};

}  // namespace kylin
