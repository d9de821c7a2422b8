// Tries many tokens at once: walks the tree of a vocabulary while a grammar reads the bytes.
#pragma once
#include <unordered_map>

#include "grammar/readings.h"
#include "grammar/token_trie.h"

namespace kylin::grammar {

// Readings get numbers, so that each is made once however many tokens lead to it. For one mask.
class MaskWalk {
public:
    using State = uint32_t;
    static constexpr State dead = 0;

    MaskWalk(const Program& program, const TokenTrie& trie)
        : program_(program), trie_(trie), reader_(program), left_(program.limits.match_fuel) {
        intern({});
    }

    Reader& reader() { return reader_; }
    State intern(Readings readings);  // dead: it is no reading at all
    const Readings& readings(State state) const { return states_[state]; }

    // Visits, with the state behind it, every node that can be read from `state` on: all of the tree, or all below a node.
    template <class Visit>
    void walk(State state, Visit visit) {
        walk(state, 0, trie_.size(), 0, visit);
    }
    template <class Visit>
    void walk_below(uint32_t node, State state, Visit visit) {
        walk(state, node + 1, trie_.node(node).end, trie_.node(node).depth + size_t{1}, visit);
    }

private:
    static constexpr State unknown = unlimited;

    template <class Visit>
    void walk(State state, size_t begin, size_t end, size_t depth, Visit visit) {
        path_.resize(trie_.longest() + 1);
        path_[depth] = state;
        for (size_t i = begin; i < end;) {
            const TokenTrie::Node& node = trie_.node(i);
            const State next = step(path_[node.depth], node.byte);
            if (next == dead) {
                i = node.end;
                continue;
            }
            path_[node.depth + size_t{1}] = next;
            visit(static_cast<uint32_t>(i), next);
            ++i;
        }
    }

    State step(State state, uint8_t byte) {
        const size_t edge = state * program_.n_classes + program_.byte_classes[byte];
        return edges_[edge] != unknown ? edges_[edge] : make_step(state, byte);
    }
    State make_step(State state, uint8_t byte);

    const Program& program_;
    const TokenTrie& trie_;
    Reader reader_;
    uint64_t left_;  // of match_fuel
    std::vector<Readings> states_;
    std::vector<State> edges_;  // [state, byte class]
    std::unordered_multimap<size_t, State> by_hash_;
    std::vector<State> path_;  // by depth
};

}  // namespace kylin::grammar
