#include "engine/prefix_cache.h"

#include <algorithm>

namespace kylin {
namespace {

uint64_t hash_of(uint64_t parent, std::span<const int32_t> tokens) {
    uint64_t hash = parent;
    for (const int32_t token : tokens) hash = (hash ^ static_cast<uint64_t>(token)) * 0x9E3779B97F4A7C15u, hash ^= hash >> 32;
    return hash;
}

}  // namespace

size_t common_prefix(std::span<const int32_t> a, std::span<const int32_t> b) {
    return static_cast<size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
}

PrefixCache::Id PrefixCache::root(const std::string& salt) {
    const auto [it, is_new] = roots_.try_emplace(salt);
    if (is_new) it->second = ++last_id_;
    return it->second;
}

std::optional<PrefixCache::Place> PrefixCache::child(Id parent, std::span<const int32_t> tokens) {
    const auto [first, last] = by_hash_.equal_range(hash_of(parent, tokens));
    for (auto it = first; it != last; ++it)
        if (it->second->parent == parent && std::ranges::equal(it->second->tokens, tokens)) return it->second;
    return std::nullopt;
}

// The one with the longest common beginning, and its length.
std::pair<std::optional<PrefixCache::Place>, size_t> PrefixCache::closest_child(Id parent, std::span<const int32_t> tokens) {
    std::optional<Place> closest;
    size_t longest = 0;
    const auto [first, last] = by_parent_.equal_range(parent);
    for (auto it = first; it != last; ++it)
        if (const size_t n = common_prefix(it->second->tokens, tokens); n > longest) closest = it->second, longest = n;
    return {closest, longest};
}

size_t PrefixCache::n_tokens_from(Id id) const {
    size_t n = 0;
    std::vector<Id> ids{id};
    while (!ids.empty()) {
        const auto [first, last] = by_parent_.equal_range(ids.back());
        ids.pop_back();
        for (auto it = first; it != last; ++it) n += it->second->tokens.size(), ids.push_back(it->second->id);
    }
    return n;
}

CachedTokens PrefixCache::find(std::span<const int32_t> tokens, const std::string& salt) {
    CachedTokens found{{}, PageTable(pool_)};
    const auto salted = roots_.find(salt);
    if (salted == roots_.end()) return found;
    Id at = salted->second;
    std::span<const int32_t> rest = tokens;
    const auto take = [&](Block& block, size_t n) {
        block.last_use = ++clock_;
        found.pages.share(block.page, 0);
        found.tokens.insert(found.tokens.end(), rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(n));
        rest = rest.subspan(n);
    };
    while (rest.size() >= page_positions) {
        const auto full = child(at, rest.first(page_positions));
        if (!full) break;
        take(**full, page_positions);
        at = (*full)->id;
    }
    const auto [part, n] = closest_child(at, rest);
    // Half: a greeting shared with everybody must not destroy somebody's long conversation.
    if (!part || !is_held_alone(**part) || 2 * n < (*part)->tokens.size() + n_tokens_from((*part)->id)) return found;
    take(**part, n);
    erase_from((*part)->id);
    erase(*part);
    return found;
}

PrefixCache::Place PrefixCache::add(Id parent, std::span<const int32_t> tokens, const PageTable& pages, size_t index) {
    Block made{++last_id_, parent, {tokens.begin(), tokens.end()}, PageTable(pool_), 0};
    made.page.share(pages, index);
    blocks_.push_back(std::move(made));
    const Place block = std::prev(blocks_.end());
    try {
        by_hash_.emplace(hash_of(parent, tokens), block);
        by_parent_.emplace(parent, block);
    } catch (...) {
        erase(block);
        throw;
    }
    return block;
}

PrefixCache::Id PrefixCache::add_full_blocks(std::span<const int32_t> tokens, const PageTable& pages, const std::string& salt) {
    Id at = root(salt);
    for (size_t i = 0; (i + 1) * page_positions <= tokens.size(); ++i) {
        const auto block = tokens.subspan(i * page_positions, page_positions);
        const auto known = child(at, block);
        const Place place = known ? *known : add(at, block, pages, i);
        place->last_use = ++clock_;
        at = place->id;
    }
    return at;
}

void PrefixCache::share(std::span<const int32_t> tokens, const PageTable& pages, const std::string& salt) {
    if (tokens.size() >= page_positions) add_full_blocks(tokens, pages, salt);
}

void PrefixCache::keep(CachedTokens cached, const std::string& salt) {
    if (cached.tokens.empty()) return;
    const std::span<const int32_t> tokens = cached.tokens;
    const Id at = add_full_blocks(tokens, cached.pages, salt);
    const size_t n_full = tokens.size() / page_positions;
    const auto rest = tokens.subspan(n_full * page_positions);
    if (rest.empty() || closest_child(at, rest).second == rest.size()) return;
    add(at, rest, cached.pages, n_full)->last_use = ++clock_;
}

void PrefixCache::erase(Place block) {
    const auto remove = [&](auto& index, uint64_t key) {
        const auto [first, last] = index.equal_range(key);
        const auto it = std::find_if(first, last, [&](const auto& entry) { return entry.second == block; });
        if (it != last) index.erase(it);  // it is there, unless memory ran out while the block was added
    };
    remove(by_hash_, hash_of(block->parent, block->tokens));
    remove(by_parent_, block->parent);
    if (!by_parent_.contains(block->parent)) std::erase_if(roots_, [&](const auto& root) { return root.second == block->parent; });
    blocks_.erase(block);
}

// All that goes on from there.
void PrefixCache::erase_from(Id parent) {
    std::vector<Id> ids{parent};
    while (!ids.empty()) {
        const auto it = by_parent_.find(ids.back());
        if (it == by_parent_.end()) {
            ids.pop_back();
            continue;
        }
        const Place block = it->second;
        if (by_parent_.contains(block->id))
            ids.push_back(block->id);
        else
            erase(block);
    }
}

bool PrefixCache::drop_oldest() {
    Place oldest = blocks_.end();
    for (Place block = blocks_.begin(); block != blocks_.end(); ++block)
        if (is_held_alone(*block) && !by_parent_.contains(block->id) && (oldest == blocks_.end() || block->last_use < oldest->last_use))
            oldest = block;
    if (oldest == blocks_.end()) return false;
    erase(oldest);
    return true;
}

int PrefixCache::n_pages() const {
    return static_cast<int>(std::ranges::count_if(blocks_, [&](const Block& block) { return is_held_alone(block); }));
}

}  // namespace kylin
