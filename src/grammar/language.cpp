#include "grammar/language.h"

#include <algorithm>
#include <map>
#include <utility>

#include "grammar/nfa_builder.h"
#include "grammar/regex.h"

namespace kylin::grammar {
namespace {

constexpr uint32_t nowhere = unlimited;

// Takes out what leads to no end.
Dfa trimmed(const Dfa& dfa) {
    const size_t n = dfa.states.size();
    std::vector<std::vector<uint32_t>> from(n);
    std::vector<uint32_t> todo;
    std::vector<char> useful(n, 0);
    for (uint32_t s = 0; s < n; ++s) {
        for (const Dfa::Edge& e : dfa.states[s].edges) from[e.to].push_back(s);
        if (dfa.states[s].accepting) todo.push_back(s);
    }
    for (const uint32_t s : todo) useful[s] = 1;
    for (size_t i = 0; i < todo.size(); ++i)
        for (const uint32_t s : from[todo[i]])
            if (!std::exchange(useful[s], 1)) todo.push_back(s);

    std::vector<uint32_t> renamed(n, nowhere);
    uint32_t next = 0;
    for (uint32_t s = 0; s < n; ++s)
        if (useful[s] || s == 0) renamed[s] = next++;
    Dfa result;
    for (uint32_t s = 0; s < n; ++s) {
        if (renamed[s] == nowhere) continue;
        Dfa::State state{.edges = {}, .accepting = dfa.states[s].accepting};
        for (const Dfa::Edge& e : dfa.states[s].edges)
            if (useful[e.to]) state.edges.push_back({e.low, e.high, renamed[e.to]});
        result.states.push_back(std::move(state));
    }
    return result;
}

// An automaton that runs in step with another; `Pair` is where both are.
template <class Pair, class Expand>
Dfa explore(Pair start, Expand expand, Budget& budget, std::string_view where) {
    Dfa result;
    std::map<Pair, uint32_t> ids;
    std::vector<Pair> todo;
    const auto id_of = [&](const Pair& pair) {
        const auto [it, is_new] = ids.emplace(pair, static_cast<uint32_t>(todo.size()));
        if (is_new) {
            todo.push_back(pair);
            result.states.emplace_back();
            budget.check_states(todo.size(), where);
        }
        return it->second;
    };
    id_of(start);
    for (uint32_t i = 0; i < todo.size(); ++i) {
        Dfa::State state = expand(Pair(todo[i]), id_of);
        budget.spend(1 + state.edges.size(), where);
        result.states[i] = std::move(state);
    }
    return result;
}

// Numbers from `at` on that have the same edge: its target, and the last of them.
struct Stretch {
    uint32_t to, last;
};
Stretch stretch_at(const Dfa& dfa, uint32_t state, uint32_t at) {
    if (state == nowhere) return {nowhere, last_character};
    const auto& edges = dfa.states[state].edges;
    const auto e = std::partition_point(edges.begin(), edges.end(), [&](const Dfa::Edge& x) { return x.high < at; });
    if (e == edges.end()) return {nowhere, last_character};
    if (e->low > at) return {nowhere, e->low - 1};
    return {e->to, e->high};
}

// What both read. `needs_other`: also what only the first reads.
template <class Accepts>
Dfa product(const Dfa& a, const Dfa& b, bool needs_other, Accepts accepts, Budget& budget, std::string_view where) {
    using Pair = std::pair<uint32_t, uint32_t>;
    const auto expand = [&](const Pair& pair, auto& id_of) {
        const auto [x, y] = pair;
        Dfa::State state{.edges = {}, .accepting = accepts(a.states[x].accepting, y != nowhere && b.states[y].accepting)};
        for (const Dfa::Edge& e : a.states[x].edges)
            for (uint32_t at = e.low; at <= e.high;) {
                const Stretch other = stretch_at(b, y, at);
                const uint32_t last = std::min(e.high, other.last);
                if (!needs_other || other.to != nowhere) state.edges.push_back({at, last, id_of(Pair(e.to, other.to))});
                at = last + 1;
            }
        return state;
    };
    return explore(Pair(0, 0), expand, budget, where);
}

Dfa tree_of(std::span<const std::u32string> words, Budget& budget, std::string_view where) {
    Dfa tree;
    tree.states.emplace_back();
    for (const std::u32string& word : words) {
        uint32_t at = 0;
        for (const char32_t c : word) {
            const auto& edges = tree.states[at].edges;
            budget.spend(1 + edges.size(), where);
            const auto known = std::find_if(edges.begin(), edges.end(), [&](const Dfa::Edge& e) { return e.low == c; });
            if (known != edges.end()) {
                at = known->to;
                continue;
            }
            const auto next = static_cast<uint32_t>(tree.states.size());
            tree.states[at].edges.push_back({c, c, next});
            tree.states.emplace_back();
            at = next;
        }
        tree.states[at].accepting = true;
    }
    for (Dfa::State& state : tree.states)
        std::sort(state.edges.begin(), state.edges.end(), [](const Dfa::Edge& x, const Dfa::Edge& y) { return x.low < y.low; });
    return tree;
}

}  // namespace

Language::Language(const Dfa& dfa) : dfa_(trimmed(dfa)) {}

Language Language::matching(std::string_view pattern, Budget& budget, std::string_view where) {
    Grammar grammar(budget.limits());
    const Expr regex = parse_regex(pattern, grammar, where);
    Nfa nfa(budget, where);
    const uint32_t start = nfa.add_state(), end = nfa.add_state();
    NfaBuilder(grammar, nfa, nullptr).build(regex, start, end);
    return Language(determinize(nfa, start, end));
}

Language Language::all() {
    Dfa dfa;
    dfa.states.push_back({.edges = {{0, last_character, 0}}, .accepting = true});
    return Language(dfa);
}

Language Language::intersected(const Language& other, Budget& budget, std::string_view where) const {
    return Language(product(
        dfa_, other.dfa_, true, [](bool a, bool b) { return a && b; }, budget, where));
}

Language Language::without(std::span<const std::u32string> words, Budget& budget, std::string_view where) const {
    return Language(product(
        dfa_, tree_of(words, budget, where), false, [](bool a, bool b) { return a && !b; }, budget, where));
}

Language Language::with_length(uint32_t min, uint32_t max, Budget& budget, std::string_view where) const {
    using Pair = std::pair<uint32_t, uint32_t>;  // state, characters
    const auto expand = [&](const Pair& pair, auto& id_of) {
        const auto [from, length] = pair;
        Dfa::State state{.edges = {}, .accepting = dfa_.states[from].accepting && length >= min};
        if (length == max) return state;
        const uint32_t next = max == unlimited ? std::min(length + 1, min) : length + 1;
        for (const Dfa::Edge& e : dfa_.states[from].edges) state.edges.push_back({e.low, e.high, id_of(Pair(e.to, next))});
        return state;
    };
    return Language(explore(Pair(0, 0), expand, budget, where));
}

bool Language::empty() const { return dfa_.states[0].edges.empty() && !dfa_.states[0].accepting; }

bool Language::contains(std::u32string_view text) const {
    uint32_t at = 0;
    for (const char32_t c : text) {
        at = stretch_at(dfa_, at, c).to;
        if (at == nowhere) return false;
    }
    return dfa_.states[at].accepting;
}

}  // namespace kylin::grammar
