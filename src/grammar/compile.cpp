// Rule by rule: expression, nondeterministic automaton, deterministic automaton.
#include <algorithm>
#include <map>

#include "base/error.h"
#include "grammar/automaton.h"
#include "grammar/heights.h"
#include "grammar/nfa_builder.h"
#include "grammar/program.h"

namespace kylin::grammar {
namespace {

// More bytes than a digit, a hexadecimal digit or a continuation of UTF-8 leaves.
constexpr int wide_bytes = 23;

class Compiler final : NfaBuilder::Rules {
public:
    Compiler(Grammar& grammar, Program& program) : grammar_(grammar), program_(program) {}

    void run() {
        const std::span<const Grammar::Rule> rules = grammar_.rules();
        find_nullable_rules();
        for (const Grammar::Rule& rule : rules) places_.push_back(rule.where);
        program_.rules.resize(rules.size());
        for (current_ = 0; current_ < rules.size(); ++current_) {
            program_.rules[current_].start = compile_expression(rules[current_].body, 0, false);
        }
        for (size_t i = 0; i < counted_.size(); ++i, ++current_) compile_counted(counted_[i]);
        program_.root = grammar_.root();
        program_.is_nullable = nullable_[program_.root];
        program_.limits = grammar_.budget().limits();
        keep_what_ends(program_, grammar_.budget(), places_);
        mark_nodes();
        find_shapes();
        find_classes();
    }

private:
    struct Counted {
        Expr e;
        size_t index;
    };

    bool is_nullable(Expr e) override {
        const auto nullable = [&](Expr x) { return is_nullable(x); };
        const Expression& expression = grammar_[e];
        if (const auto* l = std::get_if<Literal>(&expression)) return l->bytes.empty();
        if (const auto* s = std::get_if<Sequence>(&expression)) return std::all_of(s->parts.begin(), s->parts.end(), nullable);
        if (const auto* c = std::get_if<Choice>(&expression)) return std::any_of(c->options.begin(), c->options.end(), nullable);
        if (const auto* r = std::get_if<Repeat>(&expression)) return r->min == 0 || is_nullable(r->body);
        if (const auto* call = std::get_if<RuleCall>(&expression)) return nullable_[call->rule];
        if (const auto* g = std::get_if<Graph>(&expression)) return is_nullable(*g);
        return false;
    }

    bool is_nullable(const Graph& graph) {
        std::vector<char> reached(graph.n_states, 0);
        reached[0] = 1;
        for (bool grew = true; grew;) {
            grew = false;
            for (const Graph::Edge& edge : graph.edges)
                if (reached[edge.from] && !reached[edge.to] && is_nullable(edge.label)) reached[edge.to] = grew = true;
        }
        return reached.back();
    }

    void find_nullable_rules() {
        const std::span<const Grammar::Rule> rules = grammar_.rules();
        nullable_.assign(rules.size(), 0);
        for (bool grew = true; grew;) {
            grew = false;
            for (size_t i = 0; i < rules.size(); ++i) {
                grammar_.budget().spend(1, rules[i].where);
                if (!nullable_[i] && is_nullable(rules[i].body)) nullable_[i] = grew = true;
            }
        }
    }

    RuleId counted(Expr e, size_t index) override {
        const auto id = static_cast<RuleId>(grammar_.rules().size() + counted_.size());
        const auto [it, is_new] = counted_ids_.try_emplace({e, index}, id);
        if (is_new) {
            grammar_.budget().add_rule(places_[current_]);
            counted_.push_back({e, index});
            places_.push_back(places_[current_]);
            program_.rules.push_back({});
        }
        return it->second;
    }

    void compile_counted(Counted counted) {
        const auto* sequence = std::get_if<Sequence>(&grammar_[counted.e]);
        const auto repeat = std::get<Repeat>(grammar_[sequence ? sequence->parts[counted.index] : counted.e]);
        const uint32_t body = compile_expression(repeat.body, 0, true);
        // An empty tail: behind the last part of the sequence, or that of a sequence without parts.
        const Expr rest = sequence ? counted.e : grammar_.empty();
        const uint32_t tail = compile_expression(rest, sequence ? counted.index + 1 : 0, false);
        Program::Rule& rule = program_.rules[current_];
        rule.start = body;
        rule.tail = tail;
        rule.is_counted = true;
        rule.min = is_nullable(repeat.body) ? 0 : repeat.min;
        rule.max = repeat.max;
    }

    // The first node.
    uint32_t compile_expression(Expr e, size_t first_part, bool in_body) {
        Nfa nfa(grammar_.budget(), places_[current_]);
        const uint32_t start = nfa.add_state(), end = nfa.add_state();
        NfaBuilder builder(grammar_, nfa, this);
        if (std::holds_alternative<Sequence>(grammar_[e]))
            builder.build_sequence(e, first_part, start, end);
        else
            builder.build(e, start, end);
        return append(determinize(nfa, start, end), in_body);
    }

    uint32_t append(const Dfa& dfa, bool in_body) {
        const auto first = static_cast<uint32_t>(program_.nodes.size());
        grammar_.budget().add_states(dfa.states.size(), places_[current_]);
        for (const Dfa::State& state : dfa.states) {
            Program::Node node{.rule = current_};
            node.first_edge = static_cast<uint32_t>(program_.edge_table.size());
            node.n_edges = static_cast<uint32_t>(state.edges.size());
            node.first_call = static_cast<uint32_t>(program_.call_table.size());
            node.n_calls = static_cast<uint32_t>(state.rules.size());
            node.accepting = state.accepting;
            node.in_body = in_body;
            for (const Dfa::Edge& e : state.edges)
                program_.edge_table.push_back({static_cast<uint8_t>(e.low), static_cast<uint8_t>(e.high), first + e.to});
            for (const Dfa::RuleEdge& e : state.rules) program_.call_table.push_back({e.rule, first + e.to});
            program_.nodes.push_back(node);
        }
        return first;
    }

    void mark_nodes() {
        for (Program::Node& node : program_.nodes) {
            int n_ascii = 0;
            for (const Program::Edge& e : program_.edges(node)) n_ascii += std::max(0, std::min<int>(e.high, 0x7F) - e.low + 1);
            node.is_wide = n_ascii >= wide_bytes;
        }
    }

    void find_shapes() {
        std::vector<char> is_wide(program_.rules.size(), 0), has_calls(program_.rules.size(), 0);
        for (const Program::Node& node : program_.nodes) {
            is_wide[node.rule] |= node.is_wide;
            has_calls[node.rule] |= node.n_calls > 0;
        }
        for (const Program::Node& node : program_.nodes)  // those of a rule stand together
            if (is_wide[node.rule] && !has_calls[node.rule]) add_to_shape(program_.rules[node.rule], node);
    }

    void add_to_shape(Program::Rule& rule, const Program::Node& node) {
        const auto add = [&](uint32_t x) { rule.shape.append(reinterpret_cast<const char*>(&x), sizeof x); };
        add((node.accepting ? 1u : 0u) | (node.in_body ? 2u : 0u));
        add(node.n_edges);
        for (const Program::Edge& e : program_.edges(node)) {
            add(uint32_t{e.low} << 8 | e.high);
            add(e.to - rule.start);
        }
    }

    void find_classes() {
        std::array<bool, 257> begins{};
        for (const Program::Node& node : program_.nodes)
            for (const Program::Edge& e : program_.edges(node)) begins[e.low] = begins[e.high + size_t{1}] = true;
        size_t byte_class = 0;
        for (size_t byte = 0; byte < 256; ++byte) {
            if (byte > 0 && begins[byte]) ++byte_class;
            program_.byte_classes[byte] = static_cast<uint8_t>(byte_class);
        }
        program_.n_classes = byte_class + 1;
    }

    Grammar& grammar_;
    Program& program_;
    std::vector<char> nullable_;       // by rule of the grammar
    std::vector<std::string> places_;  // by rule
    std::map<std::pair<Expr, size_t>, RuleId> counted_ids_;
    std::vector<Counted> counted_;  // their rules stand behind those of the grammar
    RuleId current_ = 0;
};

}  // namespace

Program compile(Grammar grammar) {
    Program program;
    Compiler(grammar, program).run();
    return program;
}

}  // namespace kylin::grammar
