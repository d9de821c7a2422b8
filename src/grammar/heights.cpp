// Knuth's generalization of Dijkstra's algorithm: heights are settled in increasing order, and a call is as high as the higher of what
// it calls and what follows.
#include "grammar/heights.h"

#include <algorithm>
#include <optional>
#include <queue>

#include "base/error.h"

namespace kylin::grammar {
namespace {

constexpr uint32_t endless = unlimited;

class Heights {
public:
    Heights(const Program& program, Budget& budget, std::span<const std::string> places)
        : program_(program), budget_(budget), places_(places), n_nodes_(program.nodes.size()) {
        const size_t n_rules = program.rules.size();
        // A variable for each node: to the end of its rule or body. For each rule: to complete it with at least one byte. For each rule
        // two entries, body or whole and tail: from there, with at least one byte.
        height_.assign(n_nodes_ + 3 * n_rules, endless);
        from_byte_.resize(n_nodes_);
        from_call_.resize(n_nodes_ + n_rules);
        for (uint32_t i = 0; i < n_nodes_; ++i) add_uses(i, i);
        for (uint32_t r = 0; r < n_rules; ++r) {
            add_uses(entry(r), program.rules[r].start);
            if (program.rules[r].is_counted) add_uses(tail_entry(r), program.rules[r].tail);
        }
        settle();
    }

    uint32_t of_rule(uint32_t r) const { return height_[rule(r)]; }
    uint32_t of_node(uint32_t i) const {
        const Program::Node& node = program_.nodes[i];
        if (!node.in_body) return height_[i];
        // It may have to be repeated, and the tail follows.
        return std::max({height_[i], height_[entry(node.rule)], height_[program_.rules[node.rule].tail]});
    }

private:
    struct CallSite {
        uint32_t user, rule, to;
    };
    uint32_t rule(uint32_t r) const { return static_cast<uint32_t>(n_nodes_ + r); }
    uint32_t entry(uint32_t r) const { return static_cast<uint32_t>(n_nodes_ + program_.rules.size() + 2 * r); }
    uint32_t tail_entry(uint32_t r) const { return entry(r) + 1; }

    // What variable `user` depends on, whose edges are those of the node.
    void add_uses(uint32_t user, uint32_t node) {
        const Program::Node& n = program_.nodes[node];
        budget_.spend(1 + n.n_edges + n.n_calls, places_[n.rule]);
        for (const Program::Edge& e : program_.edges(n)) from_byte_[e.to].push_back(user);
        for (const Program::RuleEdge& c : program_.calls(n)) {
            from_call_[c.to].push_back({user, c.rule, c.to});
            from_call_[rule(c.rule)].push_back({user, c.rule, c.to});
        }
    }

    void settle() {
        for (uint32_t i = 0; i < n_nodes_; ++i)
            if (program_.nodes[i].accepting) queue_.push({0, i});
        while (!queue_.empty()) {
            const auto [height, variable] = queue_.top();
            queue_.pop();
            if (height_[variable] != endless) continue;
            height_[variable] = height;
            if (variable < n_nodes_)
                for (const uint32_t user : from_byte_[variable]) queue_.push({height, user});
            if (variable < from_call_.size())
                for (const CallSite& site : from_call_[variable]) offer(site.user, std::max(height_[rule(site.rule)], height_[site.to]));
            if (variable < n_nodes_) {
                const uint32_t r = program_.nodes[variable].rule;
                if (program_.rules[r].is_counted && program_.rules[r].tail == variable) offer_rule(r);
            } else if (variable >= n_nodes_ + program_.rules.size()) {
                offer_rule(static_cast<uint32_t>((variable - n_nodes_ - program_.rules.size()) / 2));
            }
        }
    }

    void offer(uint32_t variable, uint32_t height) {
        if (height != endless) queue_.push({height, variable});
    }

    void offer_rule(uint32_t r) {
        const Program::Rule& counted = program_.rules[r];
        uint32_t inside = height_[entry(r)];
        if (counted.is_counted) {
            inside = std::max(inside, height_[counted.tail]);
            if (counted.max == 0) inside = endless;
            if (counted.min == 0) inside = std::min(inside, height_[tail_entry(r)]);
        }
        if (inside != endless) offer(rule(r), inside + 1);
    }

    const Program& program_;
    Budget& budget_;
    std::span<const std::string> places_;
    size_t n_nodes_;
    std::vector<uint32_t> height_;
    std::vector<std::vector<uint32_t>> from_byte_;  // by node: the variables that reach it with a byte
    std::vector<std::vector<CallSite>> from_call_;  // by node and by rule
    using Entry = std::pair<uint32_t, uint32_t>;    // height, variable
    std::priority_queue<Entry, std::vector<Entry>, std::greater<>> queue_;
};

template <class Edge, class Keep>
void keep_edges(std::vector<Edge>& table, uint32_t first, uint32_t& n, Keep keep) {
    const auto begin = table.begin() + first;
    n = static_cast<uint32_t>(std::stable_partition(begin, begin + n, keep) - begin);
}

// The rules that a rule may call before it has read a byte.
std::vector<uint32_t> first_calls(const Program& program, uint32_t r) {
    const Program::Rule& rule = program.rules[r];
    std::vector<uint32_t> called;
    for (const Program::RuleEdge& c : program.calls(program.nodes[rule.start])) called.push_back(c.rule);
    if (rule.is_counted && rule.min == 0)
        for (const Program::RuleEdge& c : program.calls(program.nodes[rule.tail])) called.push_back(c.rule);
    return called;
}

// Matching would push such a rule for ever.
void refuse_left_recursion(const Program& program, std::span<const std::string> places) {
    enum : char { fresh, open, done };
    std::vector<char> state(program.rules.size(), fresh);
    struct Visit {
        uint32_t rule;
        std::vector<uint32_t> calls;
    };
    for (uint32_t r = 0; r < program.rules.size(); ++r) {
        if (state[r] != fresh) continue;
        std::vector<Visit> path = {{r, first_calls(program, r)}};
        state[r] = open;
        while (!path.empty()) {
            Visit& top = path.back();
            if (top.calls.empty()) {
                state[top.rule] = done;
                path.pop_back();
                continue;
            }
            const uint32_t next = top.calls.back();
            top.calls.pop_back();
            if (state[next] == open) throw InputError(places[next], "begins with itself");
            if (state[next] == done) continue;
            state[next] = open;
            path.push_back({next, first_calls(program, next)});
        }
    }
}

}  // namespace

void keep_what_ends(Program& program, Budget& budget, std::span<const std::string> places) {
    const Heights heights(program, budget, places);
    for (uint32_t i = 0; i < program.nodes.size(); ++i) program.nodes[i].height = heights.of_node(i);
    for (uint32_t r = 0; r < program.rules.size(); ++r) program.rules[r].height = heights.of_rule(r);

    const std::string& place = places[program.root];
    const uint32_t height = program.rules[program.root].height;
    if (height == endless && !program.is_nullable) throw InputError(place, "no value can satisfy it");
    if (height != endless && height > program.limits.match_depth) throw InputError(place, "every value that satisfies it nests too deep");

    for (Program::Node& node : program.nodes) {
        keep_edges(program.edge_table, node.first_edge, node.n_edges,
                   [&](const Program::Edge& e) { return program.nodes[e.to].height != endless; });
        keep_edges(program.call_table, node.first_call, node.n_calls, [&](const Program::RuleEdge& c) {
            return program.rules[c.rule].height != endless && program.nodes[c.to].height != endless;
        });
    }
    refuse_left_recursion(program, places);
}

}  // namespace kylin::grammar
