// A grammar made ready to be matched: every rule a deterministic automaton over bytes whose edges are also calls of other rules.
//
// Large repetitions are counted, not written out: such a rule is a body, a range for how often, and a tail that follows the last time.
// No node is a dead end: from each the rule can be completed, calling at most `height` rules inside each other.
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "grammar/grammar.h"

namespace kylin::grammar {

struct Program {
    struct Edge {
        uint8_t low, high;  // inclusive
        uint32_t to;
    };
    struct RuleEdge {
        uint32_t rule, to;
    };
    struct Node {
        uint32_t rule;
        uint32_t first_edge = 0, n_edges = 0;  // sorted, disjoint
        uint32_t first_call = 0, n_calls = 0;  // each rule once
        uint32_t height = 0;
        bool accepting = false;  // the rule may end here; in a counted body: the body
        bool in_body = false;    // of a counted rule
        bool is_wide = false;    // so many bytes may follow that its mask is worth keeping
    };
    struct Rule {
        uint32_t start;       // node; of a counted rule: of its body
        uint32_t height = 0;  // to complete it with at least one byte, itself included
        bool is_counted = false;
        uint32_t min = 0, max = 0, tail = 0;  // of a counted rule; tail is a node
        // Of a rule that calls none and has a wide node: its automata, the same for equal ones of all programs, whatever min and max are.
        std::string shape = {};
    };

    uint32_t root = 0;
    bool is_nullable = false;  // the empty text is complete
    std::vector<Rule> rules;
    std::vector<Node> nodes;
    std::vector<Edge> edge_table;
    std::vector<RuleEdge> call_table;
    std::array<uint8_t, 256> byte_classes{};  // bytes of one class have the same edges everywhere
    size_t n_classes = 0;
    Limits limits;

    std::span<const Edge> edges(const Node& n) const { return {edge_table.data() + n.first_edge, n.n_edges}; }
    std::span<const RuleEdge> calls(const Node& n) const { return {call_table.data() + n.first_call, n.n_calls}; }
};

// Throws InputError when a budget is exceeded, a rule begins with itself, or no text satisfies the grammar.
Program compile(Grammar grammar);

}  // namespace kylin::grammar
