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
    // Index = token id. `allowed`: only these, at least one of them; nullptr: all.
    void assign(std::span<const double> logits, const grammar::TokenMask* allowed);

    size_t size() const { return candidates_.size(); }
    const Candidate& at(size_t rank);  // rank < size()
    void keep(size_t n);               // the first n, 1 <= n
    void keep(std::vector<Candidate> some);
    std::span<const Candidate> unordered() const { return candidates_; }

private:
    std::vector<Candidate> candidates_;
    size_t n_sorted_ = 0;
};

}  // namespace kylin
