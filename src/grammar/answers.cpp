#include "grammar/answers.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "grammar/json_schema.h"
#include "grammar/token_trie.h"

namespace kylin::grammar {
namespace {

constexpr std::string_view opening_tag = "<think>", closing_tag = "</think>", opening_call = "<tool_call>", closing_call = "</tool_call>";

std::string as_token(std::string_view tag) { return marker_byte + std::string(tag); }

// A tag that a model writes as one token of its own, or spells out.
Expr written(Grammar& grammar, std::string_view tag) { return grammar.choice({grammar.literal(tag), grammar.literal(as_token(tag))}); }

// How much of the beginning of `needle` a text ends with that ended with `n` characters of it before this one.
uint32_t matched_after(std::string_view needle, uint32_t n, char next) {
    const std::string text = std::string(needle.substr(0, n)) + next;
    size_t length = std::min(text.size(), needle.size());
    while (text.substr(text.size() - length) != needle.substr(0, length)) --length;
    return static_cast<uint32_t>(length);
}

// An automaton that reads any text; in its state needle.size() it has read the first `needle`, which is ASCII.
Graph search_for(Grammar& grammar, std::string_view needle) {
    const auto n = static_cast<uint32_t>(needle.size());
    Graph graph{.n_states = n + 1, .edges = {}};
    std::set<char> special(needle.begin(), needle.end());
    std::vector<CharRange> others;
    char32_t next = 0;
    for (const char c : special) {
        const auto code = static_cast<char32_t>(c);
        if (next < code) others.push_back({next, code - 1});
        next = code + 1;
    }
    others.push_back({next, last_character});
    const Expr other = grammar.characters(std::move(others));
    const Expr token = grammar.literal(as_token(needle));
    for (uint32_t state = 0; state < n; ++state) {
        graph.edges.push_back({state, other, 0});
        graph.edges.push_back({state, token, n});
        for (const char c : special) graph.edges.push_back({state, grammar.literal({&c, 1}), matched_after(needle, state, c)});
    }
    return graph;
}

// Everything up to and with the first `needle`.
Expr text_through(Grammar& grammar, std::string_view needle) {
    Graph graph = search_for(grammar, needle);
    const RuleId rule = grammar.declare();  // of its own, which calls none: so its masks are shared
    grammar.define(rule, grammar.graph(std::move(graph)));
    return grammar.call(rule);
}

Grammar finished(Grammar grammar, Expr answer, Thoughts thoughts) {
    Expr before = grammar.empty();
    if (thoughts != Thoughts::none) {
        before = grammar.sequence({text_through(grammar, closing_tag), grammar.repeat(grammar.literal("\n"), 0, 2)});
        if (thoughts == Thoughts::possible) before = grammar.optional(grammar.sequence({grammar.literal(as_token(opening_tag)), before}));
    }
    const RuleId root = grammar.declare();
    grammar.define(root, grammar.sequence({before, answer}));
    grammar.set_root(root);
    return grammar;
}

Expr call_of(Grammar& grammar, JsonText& text, const Tool& tool) {
    static const Json no_parameters = {{"properties", Json::object()}}, object = {{"type", "object"}};
    const Expr arguments = add_json_schema(grammar, text, tool.parameters ? *tool.parameters : no_parameters, tool.where, &object);
    return grammar.sequence({grammar.literal("\n{\"name\": "), text.constant(tool.name), grammar.literal(", \"arguments\": "), arguments,
                             grammar.literal("}\n")});
}

// What follows the tag that opens the first call.
Expr calls_behind_tag(Grammar& grammar, std::span<const Tool> tools, uint32_t max_calls) {
    if (tools.empty()) throw InputError("tools", "there are none to call");
    JsonText text(grammar);
    std::vector<Expr> calls;
    for (const Tool& tool : tools) calls.push_back(call_of(grammar, text, tool));
    grammar.set_place("tools");
    const RuleId call = grammar.declare();
    grammar.define(call, grammar.sequence({grammar.choice(std::move(calls)), written(grammar, closing_call)}));
    const Expr more = grammar.sequence({grammar.literal("\n"), written(grammar, opening_call), grammar.call(call)});
    return grammar.sequence({grammar.call(call), grammar.repeat(more, 0, std::max(max_calls, 1u) - 1)});
}

}  // namespace

Grammar json_object_answer(Thoughts thoughts, const Limits& limits) {
    Grammar grammar(limits);
    const Expr object = JsonText(grammar).object();
    return finished(std::move(grammar), object, thoughts);
}

Grammar json_schema_answer(const Json& schema, const std::string& name, Thoughts thoughts, const Limits& limits) {
    Grammar grammar(limits);
    grammar.set_place(name);
    JsonText text(grammar);
    const Expr value = add_json_schema(grammar, text, schema, name);
    grammar.set_place(name);
    return finished(std::move(grammar), value, thoughts);
}

Grammar tool_calls_answer(std::span<const Tool> tools, uint32_t max_calls, Thoughts thoughts, const Limits& limits) {
    Grammar grammar(limits);
    const Expr calls = calls_behind_tag(grammar, tools, max_calls);
    const Expr answer = grammar.sequence({written(grammar, opening_call), calls});
    return finished(std::move(grammar), answer, thoughts);
}

Grammar text_or_tool_calls_answer(std::span<const Tool> tools, uint32_t max_calls, Thoughts thoughts, const Limits& limits) {
    Grammar grammar(limits);
    const Expr calls = calls_behind_tag(grammar, tools, max_calls), nothing = grammar.empty();
    Graph text = search_for(grammar, opening_call);
    const auto tag_read = static_cast<uint32_t>(opening_call.size()), end = text.n_states++;
    for (uint32_t state = 0; state < tag_read; ++state) text.edges.push_back({state, nothing, end});
    text.edges.push_back({tag_read, calls, end});
    const Expr answer = grammar.graph(std::move(text));
    return finished(std::move(grammar), answer, thoughts);
}

}  // namespace kylin::grammar
