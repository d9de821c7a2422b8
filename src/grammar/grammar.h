// A context-free grammar over bytes: named rules, each an expression.
//
//   expression = "bytes" | [characters] | e e … | e / e … | e{min,max} | rule | graph
//
// A graph is an automaton whose edges are expressions: what repetition and choice say only clumsily, such as members of an object that
// may be left out.
#pragma once
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "grammar/budget.h"

namespace kylin::grammar {

struct CharRange {
    char32_t low, high;  // inclusive
};

using Expr = uint32_t;  // of the grammar that made it
using RuleId = uint32_t;

inline constexpr uint32_t unlimited = std::numeric_limits<uint32_t>::max();

struct Literal {
    std::string bytes;
};
struct Characters {
    std::vector<CharRange> ranges;  // written in UTF-8
};
struct Sequence {
    std::vector<Expr> parts;
};
struct Choice {
    std::vector<Expr> options;
};
struct Repeat {
    Expr body;
    uint32_t min, max;
};
struct RuleCall {
    RuleId rule;
};
struct Graph {
    struct Edge {
        uint32_t from;
        Expr label;
        uint32_t to;
    };
    uint32_t n_states;  // 0 is the start, the last the end
    std::vector<Edge> edges;
};
using Expression = std::variant<Literal, Characters, Sequence, Choice, Repeat, RuleCall, Graph>;

class Grammar {
public:
    explicit Grammar(const Limits& limits = {}) : budget_(limits) {}

    // `where` is the place that errors about what is made from here on name.
    void set_place(std::string where) { where_ = std::move(where); }

    Expr literal(std::string_view bytes) { return add(Literal{std::string(bytes)}); }
    Expr characters(std::vector<CharRange> ranges) { return add(Characters{std::move(ranges)}); }
    Expr sequence(std::vector<Expr> parts) { return add(Sequence{std::move(parts)}); }
    Expr choice(std::vector<Expr> options) { return add(Choice{std::move(options)}); }
    Expr repeat(Expr body, uint32_t min, uint32_t max) { return add(Repeat{body, min, max}); }
    Expr graph(Graph g) { return add(std::move(g)); }
    Expr empty() { return sequence({}); }
    Expr never() { return choice({}); }
    Expr optional(Expr e) { return repeat(e, 0, 1); }

    // A rule may be called before it is defined; all must be in the end.
    RuleId declare();
    void define(RuleId rule, Expr body) { rules_[rule].body = body; }
    Expr call(RuleId rule) { return add(RuleCall{rule}); }
    void set_root(RuleId rule) { root_ = rule; }

    struct Rule {
        std::string where;
        Expr body;
    };
    const Expression& operator[](Expr e) const { return expressions_[e]; }
    std::span<const Rule> rules() const { return rules_; }
    RuleId root() const { return root_; }
    Budget& budget() { return budget_; }

private:
    Expr add(Expression e);

    Budget budget_;
    std::string where_ = "grammar";
    std::vector<Expression> expressions_;
    std::vector<Rule> rules_;
    RuleId root_ = 0;
};

}  // namespace kylin::grammar
