// Pages of ended sequences, kept with the tokens they hold: a prompt that goes on from one of them need not compute it again.
// The bits of keys and values do not depend on how they were computed, so reuse changes no answer.
#pragma once
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "engine/kv_pages.h"

namespace kylin {

struct CachedTokens {
    std::vector<int32_t> tokens;  // those whose keys and values are in the pages
    PageTable pages;
};

class KeptPages {
public:
    void keep(CachedTokens cached);
    // Takes out the one that shares the longest beginning with `tokens`, cut to that; nullopt when none shares half of what it holds.
    std::optional<CachedTokens> take(std::span<const int32_t> tokens);
    bool drop_oldest();  // false when there is none
    int n_pages() const;

private:
    std::deque<CachedTokens> kept_;  // oldest first
};

}  // namespace kylin
