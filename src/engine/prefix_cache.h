// The beginnings of texts whose keys and values are in KV pages: who asks something that begins like another text need not compute that
// beginning again. The bits of keys and values do not depend on how they were computed, so sharing changes no answer.
//
// A tree of blocks, one page each: a block's text is what its tokens are behind those of its parents. Full blocks are shared by everybody,
// for nobody writes to them again; the page of one that is not full has one owner. Blocks are found by a hash, and their tokens compared.
#pragma once
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/kv_pages.h"

namespace kylin {

size_t common_prefix(std::span<const int32_t> a, std::span<const int32_t> b);

struct CachedTokens {
    std::vector<int32_t> tokens;  // those whose keys and values are in the pages
    PageTable pages;
};

class PrefixCache {
public:
    explicit PrefixCache(PagePool& pool) : pool_(pool) {}

    // The longest known beginning of `tokens` under this salt. Of a page that holds other tokens behind the common ones, the common ones
    // are taken out of the cache, unless others use it, or most of what would be lost is not common.
    CachedTokens find(std::span<const int32_t> tokens, const std::string& salt);
    // A running sequence lets others share the pages that its tokens fill.
    void share(std::span<const int32_t> tokens, const PageTable& pages, const std::string& salt);
    // An ended one leaves all that it has.
    void keep(CachedTokens cached, const std::string& salt);
    // Gives back a page that nobody else holds, the one whose use is longest ago and that no other block goes on from. False: there is
    // none.
    bool drop_oldest();
    int n_pages() const;  // that nobody else holds

private:
    using Id = uint64_t;
    struct Block {
        Id id, parent;
        std::vector<int32_t> tokens;
        PageTable page;
        uint64_t last_use;
    };
    using Place = std::list<Block>::iterator;

    Id root(const std::string& salt);
    bool is_held_alone(const Block& block) const { return pool_.n_holders(block.page.pages().front()) == 1; }
    std::optional<Place> child(Id parent, std::span<const int32_t> tokens);
    std::pair<std::optional<Place>, size_t> closest_child(Id parent, std::span<const int32_t> tokens);
    size_t n_tokens_from(Id id) const;
    Place add(Id parent, std::span<const int32_t> tokens, const PageTable& pages, size_t index);
    Id add_full_blocks(std::span<const int32_t> tokens, const PageTable& pages, const std::string& salt);
    void erase(Place block);
    void erase_from(Id parent);

    PagePool& pool_;
    std::list<Block> blocks_;
    std::unordered_multimap<uint64_t, Place> by_hash_;  // of parent and tokens
    std::unordered_multimap<Id, Place> by_parent_;
    std::map<std::string, Id> roots_;  // by salt
    Id last_id_ = 0;
    uint64_t clock_ = 0;
};

}  // namespace kylin
