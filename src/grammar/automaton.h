// Finite automata over numbers (bytes, or characters) and calls of rules.
#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

#include "grammar/budget.h"

namespace kylin::grammar {

class Nfa {
public:
    struct Edge {
        enum On : uint8_t { nothing, range, rule } on;
        uint32_t low, high;  // of a range; low alone: the rule
        uint32_t to;
    };

    Nfa(Budget& budget, std::string_view where) : budget_(budget), where_(where) {}
    uint32_t add_state();
    void on_nothing(uint32_t from, uint32_t to) { add(from, {Edge::nothing, 0, 0, to}); }
    void on_range(uint32_t from, uint32_t low, uint32_t high, uint32_t to) { add(from, {Edge::range, low, high, to}); }
    void on_rule(uint32_t from, uint32_t rule, uint32_t to) { add(from, {Edge::rule, rule, rule, to}); }

    const std::vector<Edge>& edges(uint32_t state) const { return states_[state]; }
    size_t size() const { return states_.size(); }
    Budget& budget() const { return budget_; }
    std::string_view where() const { return where_; }

private:
    void add(uint32_t from, Edge edge);

    Budget& budget_;
    std::string_view where_;
    std::vector<std::vector<Edge>> states_;
};

// Deterministic up to calls: a state has at most one edge for a number and one for a rule.
struct Dfa {
    struct Edge {
        uint32_t low, high, to;
    };
    struct RuleEdge {
        uint32_t rule, to;
    };
    struct State {
        std::vector<Edge> edges;  // sorted, disjoint
        std::vector<RuleEdge> rules = {};
        bool accepting = false;
    };
    std::vector<State> states;  // 0 is the start; there is always one
};

// No edge of `nfa` may lead to `start`; then none of the result leads to its first state.
Dfa determinize(const Nfa& nfa, uint32_t start, uint32_t end);

}  // namespace kylin::grammar
