// The subset construction.
#include "grammar/automaton.h"

#include <algorithm>
#include <map>
#include <unordered_map>

namespace kylin::grammar {
namespace {

using Set = std::vector<uint32_t>;  // of states, sorted

struct HashSet {
    size_t operator()(const Set& set) const {
        uint64_t h = set.size();
        for (const uint32_t x : set) h = (h ^ x) * 0x9E3779B97F4A7C15u, h ^= h >> 29;
        return h;
    }
};

class Determinizer {
public:
    Determinizer(const Nfa& nfa, uint32_t end) : nfa_(nfa), end_(end), seen_(nfa.size(), 0) {}

    Dfa run(uint32_t start) {
        start_ = start;
        id_of({start});
        for (uint32_t i = 0; i < sets_.size(); ++i) expand(i);
        return std::move(dfa_);
    }

private:
    struct Span {
        uint32_t low, high, to;
    };

    // What is reached without reading, kept to the states that matter: those with other edges, and the end.
    Set closure(const Set& from) {
        Set kept, todo = from;
        ++visit_;
        for (const uint32_t s : todo) seen_[s] = visit_;
        for (size_t i = 0; i < todo.size(); ++i) {
            const uint32_t state = todo[i];
            bool matters = state == end_ || state == start_;  // the first state is nobody else's: nothing leads back to it
            for (const Nfa::Edge& e : nfa_.edges(state)) {
                if (e.on != Nfa::Edge::nothing) matters = true;
                if (e.on != Nfa::Edge::nothing || seen_[e.to] == visit_) continue;
                seen_[e.to] = visit_;
                todo.push_back(e.to);
            }
            spend(1 + nfa_.edges(state).size());
            if (matters) kept.push_back(state);
        }
        std::sort(kept.begin(), kept.end());
        return kept;
    }

    uint32_t id_of(Set targets) {
        std::sort(targets.begin(), targets.end());
        targets.erase(std::unique(targets.begin(), targets.end()), targets.end());
        if (const auto known = raw_.find(targets); known != raw_.end()) return known->second;
        Set set = closure(targets);
        const auto [it, is_new] = ids_.emplace(std::move(set), static_cast<uint32_t>(sets_.size()));
        if (is_new) {
            sets_.push_back(&it->first);
            dfa_.states.push_back({.edges = {}, .accepting = std::binary_search(it->first.begin(), it->first.end(), end_)});
            nfa_.budget().check_states(sets_.size(), nfa_.where());
        }
        raw_.emplace(std::move(targets), it->second);
        return it->second;
    }

    void expand(uint32_t id) {
        std::vector<Span> spans;
        std::map<uint32_t, Set> calls;
        for (const uint32_t state : *sets_[id])
            for (const Nfa::Edge& e : nfa_.edges(state)) {
                if (e.on == Nfa::Edge::range) spans.push_back({e.low, e.high, e.to});
                if (e.on == Nfa::Edge::rule) calls[e.low].push_back(e.to);
            }
        spend(spans.size() + calls.size());
        add_edges(id, std::move(spans));
        for (auto& [rule, targets] : calls) {
            const uint32_t to = id_of(std::move(targets));
            dfa_.states[id].rules.push_back({rule, to});
        }
    }

    // Cuts the number line where a span begins or ends: within a piece the targets are the same.
    void add_edges(uint32_t id, std::vector<Span> spans) {
        std::sort(spans.begin(), spans.end(), [](const Span& a, const Span& b) { return a.low < b.low; });
        std::vector<Span> active;
        size_t next = 0;
        for (uint32_t at = 0; next < spans.size() || !active.empty();) {
            if (active.empty()) at = spans[next].low;
            for (; next < spans.size() && spans[next].low == at; ++next) active.push_back(spans[next]);
            uint32_t last = next < spans.size() ? spans[next].low - 1 : UINT32_MAX;
            Set targets;
            for (const Span& s : active) {
                last = std::min(last, s.high);
                targets.push_back(s.to);
            }
            spend(active.size());
            const uint32_t to = id_of(std::move(targets));
            auto& edges = dfa_.states[id].edges;
            if (!edges.empty() && edges.back().to == to && edges.back().high + 1 == at)
                edges.back().high = last;
            else
                edges.push_back({at, last, to});
            std::erase_if(active, [&](const Span& s) { return s.high == last; });
            at = last + 1;
        }
    }

    void spend(size_t n) { nfa_.budget().spend(n, nfa_.where()); }

    const Nfa& nfa_;
    uint32_t start_ = 0, end_;
    Dfa dfa_;
    std::vector<uint32_t> seen_;
    uint32_t visit_ = 0;
    std::unordered_map<Set, uint32_t, HashSet> ids_, raw_;  // by what a set holds, by what was asked for
    std::vector<const Set*> sets_;
};

}  // namespace

uint32_t Nfa::add_state() {
    budget_.spend(1, where_);
    budget_.check_states(states_.size() + 1, where_);
    states_.emplace_back();
    return static_cast<uint32_t>(states_.size() - 1);
}

void Nfa::add(uint32_t from, Edge edge) {
    budget_.spend(1, where_);
    states_[from].push_back(edge);
}

Dfa determinize(const Nfa& nfa, uint32_t start, uint32_t end) { return Determinizer(nfa, end).run(start); }

}  // namespace kylin::grammar
