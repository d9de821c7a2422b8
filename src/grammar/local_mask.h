// The mask of one node of a rule, whatever called the rule: most of what is expensive, found once.
//
// Inside a string almost every token may come next, and only few leave the string. The former do not depend on what is around the string;
// for the latter the walk has to go on behind it, from the places in the tree of tokens that are kept here.
#pragma once
#include <vector>

#include "grammar/mask_walk.h"
#include "grammar/token_mask.h"

namespace kylin::grammar {

class LocalMask {
public:
    // Of a node whose rule has a shape. What it says holds for every rule of that shape.
    LocalMask(const Program& program, const TokenTrie& trie, uint32_t node);

    // Adds all tokens that may follow the item, which is at this node of a rule of this shape; `walk` is for those that leave the rule.
    void add_to(TokenMask& mask, const Item& item, const Program::Rule& rule, const TokenTrie& trie, MaskWalk& walk) const;

private:
    // A token that ends in the body of a counted rule with so many more repetitions begun, or in its tail with so many more completed.
    struct Inside {
        int32_t id;
        uint32_t begun, completed;
    };
    struct Tail {
        int32_t id;
        uint32_t completed;
    };
    // The rule is complete here, and longer tokens go on.
    struct Exit {
        uint32_t place;
        uint32_t completed;
    };
    void record(const Program& program, const TokenTrie& trie, uint32_t place, const Readings& readings);
    void add_counted(TokenMask& mask, uint32_t count, const Program::Rule& rule) const;

    bool is_counted_;
    TokenMask inside_;          // they stay in the rule, or complete it; of a counted one, they stay in its body
    std::vector<Inside> more_;  // those of them that begin more repetitions, most first
    std::vector<Tail> tail_;    // of a counted rule
    std::vector<Exit> exits_;
};

}  // namespace kylin::grammar
