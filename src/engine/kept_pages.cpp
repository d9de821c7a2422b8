#include "engine/kept_pages.h"

#include <algorithm>

namespace kylin {
namespace {

size_t common_prefix(std::span<const int32_t> a, std::span<const int32_t> b) {
    return static_cast<size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
}

}  // namespace

void KeptPages::keep(CachedTokens cached) {
    if (cached.tokens.empty()) return;
    cached.pages.resize(pages_for(static_cast<int>(cached.tokens.size())));
    kept_.push_back(std::move(cached));
}

std::optional<CachedTokens> KeptPages::take(std::span<const int32_t> tokens) {
    auto best = kept_.end();
    size_t longest = 0;
    for (auto it = kept_.begin(); it != kept_.end(); ++it) {
        const size_t n = common_prefix(it->tokens, tokens);
        // Half: a greeting shared with everybody must not destroy somebody's long conversation.
        if (n > longest && 2 * n >= it->tokens.size()) best = it, longest = n;
    }
    if (best == kept_.end()) return std::nullopt;
    CachedTokens taken = std::move(*best);
    kept_.erase(best);
    taken.tokens.resize(longest);
    return taken;
}

int KeptPages::n_pages() const {
    int n = 0;
    for (const CachedTokens& cached : kept_) n += cached.pages.size();
    return n;
}

bool KeptPages::drop_oldest() {
    if (kept_.empty()) return false;
    kept_.pop_front();
    return true;
}

}  // namespace kylin
