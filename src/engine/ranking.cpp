#include "engine/ranking.h"

#include <algorithm>
#include <functional>

#include "kernels/kernels.h"

namespace kylin {
namespace {

bool before(const Candidate& a, const Candidate& b) { return a.logit != b.logit ? a.logit > b.logit : a.id < b.id; }

constexpr size_t first_sorted = 64, growth = 8;

}  // namespace

template <class Logit>
void Ranking::assign(std::span<const Logit> logits, const grammar::TokenMask* allowed) {
    candidates_.clear();
    n_sorted_ = 0;
    if (allowed) return allowed->for_each([&](size_t id) { add(id, logits[id]); });
    candidates_.reserve(logits.size());
    for (size_t id = 0; id < logits.size(); ++id) add(id, logits[id]);
}
template void Ranking::assign(std::span<const float>, const grammar::TokenMask*);
template void Ranking::assign(std::span<const double>, const grammar::TokenMask*);

template <class Logit>
void Ranking::assign_best(std::span<const Logit> logits, std::span<const Logit> peaks, const grammar::TokenMask* allowed, size_t n) {
    if (allowed && allowed->size() <= peaks.size()) return assign(logits, allowed);
    // n peaks are n logits: those from the least of them on are at least n, and the best. If too few of them are allowed, more are taken.
    for (size_t taken = n; taken <= peaks.size(); taken *= growth) {
        std::vector<Logit> best(taken);
        std::partial_sort_copy(peaks.begin(), peaks.end(), best.begin(), best.end(), std::greater());
        const Logit least = best.back();
        candidates_.clear();
        n_sorted_ = 0;
        for (size_t p = 0; p < peaks.size(); ++p) {
            if (peaks[p] < least) continue;
            for (size_t id = p * peak_width; id < std::min(logits.size(), (p + 1) * peak_width); ++id)
                if (logits[id] >= least && (!allowed || allowed->allows(id))) add(id, logits[id]);
        }
        if (candidates_.size() >= n) return;
    }
    assign(logits, allowed);
}
template void Ranking::assign_best(std::span<const float>, std::span<const float>, const grammar::TokenMask*, size_t);
template void Ranking::assign_best(std::span<const double>, std::span<const double>, const grammar::TokenMask*, size_t);

const Candidate& Ranking::at(size_t rank) {
    while (rank >= n_sorted_) {
        const size_t next = std::min(candidates_.size(), std::max(first_sorted, n_sorted_ * growth));
        const auto at = [&](size_t i) { return candidates_.begin() + static_cast<std::ptrdiff_t>(i); };
        std::partial_sort(at(n_sorted_), at(next), candidates_.end(), before);
        n_sorted_ = next;
    }
    return candidates_[rank];
}

void Ranking::keep(size_t n) {
    if (n >= size()) return;
    at(n - 1);
    candidates_.resize(n);
    n_sorted_ = std::min(n_sorted_, n);
}

void Ranking::keep(std::vector<Candidate> some) {
    candidates_ = std::move(some);
    n_sorted_ = 0;
}

}  // namespace kylin
