// What all grammars for one vocabulary share: the tree of its tokens, and the masks of nodes that are expensive, such as the inside of a
// string, which almost every grammar has.
#pragma once
#include <list>
#include <memory>
#include <mutex>
#include <string>

#include "grammar/local_mask.h"
#include "grammar/token_trie.h"

namespace kylin::grammar {

// Safe to use from any thread.
class MaskCache {
public:
    explicit MaskCache(TokenTrie trie) : trie_(std::move(trie)) {}

    const TokenTrie& trie() const { return trie_; }
    // nullptr: the node's mask is cheap, or depends on what called its rule.
    std::shared_ptr<const LocalMask> find(const Program& program, uint32_t node) const;

private:
    struct Entry {
        std::string shape;
        uint32_t node;  // within the rule
        std::shared_ptr<const LocalMask> mask;
    };
    TokenTrie trie_;
    mutable std::mutex mutex_;
    mutable std::list<Entry> entries_;  // the last used first
};

}  // namespace kylin::grammar
