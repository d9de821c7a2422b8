#include "grammar/nfa_builder.h"

#include <algorithm>

#include "grammar/utf8_ranges.h"

namespace kylin::grammar {
namespace {

// States up to which a repetition is written out; a larger one becomes a rule that counts.
constexpr uint64_t max_written_out = 128;
constexpr uint64_t endless = uint64_t{1} << 31;

}  // namespace

void NfaBuilder::build(Expr e, uint32_t from, uint32_t to) {
    const Expression& expression = grammar_[e];
    if (std::holds_alternative<Sequence>(expression)) return build_sequence(e, 0, from, to);
    if (const auto* choice = std::get_if<Choice>(&expression)) {
        for (const Expr option : choice->options) build(option, from, to);
        return;
    }
    if (const auto* call = std::get_if<RuleCall>(&expression)) {
        nfa_.on_rule(from, call->rule, to);
        if (rules_->is_nullable(e)) nfa_.on_nothing(from, to);
        return;
    }
    if (const auto* literal = std::get_if<Literal>(&expression)) return build(*literal, from, to);
    if (const auto* characters = std::get_if<Characters>(&expression)) return build(*characters, from, to);
    if (const auto* repeat = std::get_if<Repeat>(&expression)) {
        if (!rules_ || !is_too_large(*repeat)) return build(*repeat, from, to);
        nfa_.on_rule(from, rules_->counted(e, 0), to);
        if (rules_->is_nullable(e)) nfa_.on_nothing(from, to);
        return;
    }
    build(std::get<Graph>(expression), from, to);
}

void NfaBuilder::build_sequence(Expr sequence, size_t first, uint32_t from, uint32_t to) {
    const auto& parts = std::get<Sequence>(grammar_[sequence]).parts;
    for (size_t i = first; i < parts.size(); ++i) {
        const auto* repeat = std::get_if<Repeat>(&grammar_[parts[i]]);
        if (repeat && rules_ && is_too_large(*repeat)) {
            nfa_.on_rule(from, rules_->counted(sequence, i), to);
            const bool may_be_empty =
                std::all_of(parts.begin() + static_cast<std::ptrdiff_t>(i), parts.end(), [&](Expr p) { return rules_->is_nullable(p); });
            if (may_be_empty) nfa_.on_nothing(from, to);
            return;
        }
        const uint32_t next = nfa_.add_state();
        build(parts[i], from, next);
        from = next;
    }
    nfa_.on_nothing(from, to);
}

void NfaBuilder::build(const Literal& literal, uint32_t from, uint32_t to) {
    for (const char c : literal.bytes) {
        const uint32_t next = nfa_.add_state();
        nfa_.on_range(from, static_cast<uint8_t>(c), static_cast<uint8_t>(c), next);
        from = next;
    }
    nfa_.on_nothing(from, to);
}

void NfaBuilder::build(const Characters& characters, uint32_t from, uint32_t to) {
    for (const CharRange& range : characters.ranges) {
        if (!rules_) {
            nfa_.on_range(from, range.low, range.high, to);
            continue;
        }
        for (const auto& bytes : utf8_sequences(range)) {
            uint32_t at = from;
            for (size_t i = 0; i < bytes.size(); ++i) {
                const uint32_t next = i + 1 == bytes.size() ? to : nfa_.add_state();
                nfa_.on_range(at, bytes[i].low, bytes[i].high, next);
                at = next;
            }
        }
    }
}

void NfaBuilder::build(const Repeat& repeat, uint32_t from, uint32_t to) {
    const auto next_copy = [&] {
        const uint32_t next = nfa_.add_state();
        build(repeat.body, from, next);
        from = next;
    };
    for (uint32_t i = 0; i < repeat.min; ++i) next_copy();
    if (repeat.max == unlimited) {
        const uint32_t again = nfa_.add_state(), done = nfa_.add_state();
        nfa_.on_nothing(from, again);
        build(repeat.body, again, done);
        nfa_.on_nothing(done, again);
        nfa_.on_nothing(again, to);
        return;
    }
    nfa_.on_nothing(from, to);
    for (uint32_t i = repeat.min; i < repeat.max; ++i) {
        next_copy();
        nfa_.on_nothing(from, to);
    }
}

void NfaBuilder::build(const Graph& graph, uint32_t from, uint32_t to) {
    std::vector<uint32_t> states;
    for (uint32_t i = 0; i < graph.n_states; ++i) states.push_back(nfa_.add_state());
    nfa_.on_nothing(from, states.front());
    for (const Graph::Edge& e : graph.edges) build(e.label, states[e.from], states[e.to]);
    nfa_.on_nothing(states.back(), to);
}

bool NfaBuilder::is_too_large(const Repeat& repeat) {
    if (repeat.max == unlimited && repeat.min <= 1) return false;
    const uint64_t copies = repeat.max == unlimited ? repeat.min + uint64_t{1} : repeat.max;
    return copies * cost(repeat.body) > max_written_out;
}

// About how many states it takes.
uint64_t NfaBuilder::cost(Expr e) {
    if (const auto known = costs_.find(e); known != costs_.end()) return known->second;
    const auto sum = [&](const std::vector<Expr>& all) {
        uint64_t total = 1;
        for (const Expr x : all) total += cost(x);
        return total;
    };
    struct Visitor {
        NfaBuilder& self;
        decltype(sum)& sum_of;
        uint64_t operator()(const Literal& l) { return l.bytes.size(); }
        uint64_t operator()(const Characters& c) { return c.ranges.empty() || c.ranges.back().high < 0x80 ? 1 : 8; }
        uint64_t operator()(const Sequence& s) { return sum_of(s.parts); }
        uint64_t operator()(const Choice& c) { return sum_of(c.options); }
        uint64_t operator()(const Repeat& r) { return self.cost(r.body) * (r.max == unlimited ? r.min + uint64_t{1} : r.max); }
        uint64_t operator()(const RuleCall&) { return 1; }
        uint64_t operator()(const Graph& g) {
            uint64_t total = g.n_states;
            for (const Graph::Edge& edge : g.edges) total += self.cost(edge.label);
            return total;
        }
    };
    const uint64_t total = std::min(endless, std::visit(Visitor{*this, sum}, grammar_[e]));
    return costs_[e] = total;
}

}  // namespace kylin::grammar
