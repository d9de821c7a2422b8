// Expressions as nondeterministic automata (Thompson's construction).
#pragma once
#include <optional>
#include <unordered_map>

#include "grammar/automaton.h"
#include "grammar/grammar.h"

namespace kylin::grammar {

class NfaBuilder {
public:
    // What an automaton over bytes needs to know about rules. One over characters has none, and writes out every repetition.
    struct Rules {
        virtual ~Rules() = default;
        virtual bool is_nullable(Expr e) = 0;
        // The rule for a repetition that is too large to be written out: `e` itself, or part `index` of the sequence `e` and all behind it.
        virtual RuleId counted(Expr e, size_t index) = 0;
    };

    // rules == nullptr: the automaton reads characters.
    NfaBuilder(const Grammar& grammar, Nfa& nfa, Rules* rules) : grammar_(grammar), nfa_(nfa), rules_(rules) {}
    void build(Expr e, uint32_t from, uint32_t to);
    // The parts of a sequence from `first` on.
    void build_sequence(Expr sequence, size_t first, uint32_t from, uint32_t to);

private:
    void build(const Literal& literal, uint32_t from, uint32_t to);
    void build(const Characters& characters, uint32_t from, uint32_t to);
    void build(const Repeat& repeat, uint32_t from, uint32_t to);
    void build(const Graph& graph, uint32_t from, uint32_t to);
    bool is_too_large(const Repeat& repeat);
    uint64_t cost(Expr e);

    const Grammar& grammar_;
    Nfa& nfa_;
    Rules* rules_;
    std::unordered_map<Expr, uint64_t> costs_;
};

}  // namespace kylin::grammar
