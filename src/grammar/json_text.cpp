#include "grammar/json_text.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace kylin::grammar {
namespace {

constexpr uint32_t max_indent_spaces = 32, max_indent_tabs = 8;
constexpr uint32_t max_digits = 18, max_exponent_digits = 2;

// Characters that a string never holds as they are.
struct Escape {
    char32_t character;
    std::string_view text;
};
constexpr auto short_escapes =
    std::to_array<Escape>({{'\b', "\\b"}, {'\t', "\\t"}, {'\n', "\\n"}, {'\f', "\\f"}, {'\r', "\\r"}, {'"', "\\\""}, {'\\', "\\\\"}});
constexpr char32_t first_printable = 0x20;
// Between those that are always escaped.
constexpr auto plain_ranges = std::to_array<CharRange>({{first_printable, '"' - 1}, {'"' + 1, '\\' - 1}, {'\\' + 1, last_character}});

}  // namespace

template <class Make>
Expr JsonText::shared(std::optional<RuleId>& rule, Make make) {
    if (!rule) {
        rule = grammar_.declare();  // first: the rule may contain itself
        grammar_.define(*rule, make());
    }
    return grammar_.call(*rule);
}

Expr JsonText::space() {
    const Expr rule = shared(space_, [&] {
        const auto repeated = [&](const char* text, uint32_t max) { return grammar_.repeat(grammar_.literal(text), 0, max); };
        const Expr indent = grammar_.choice({repeated(" ", max_indent_spaces), repeated("\t", max_indent_tabs)});
        return grammar_.choice({grammar_.literal(" "), grammar_.sequence({grammar_.literal("\n"), indent})});
    });
    return grammar_.optional(rule);
}

Expr JsonText::comma() { return grammar_.sequence({grammar_.literal(","), space()}); }

Expr JsonText::enclosed(char open, Expr content, char close, bool may_be_empty) {
    const Expr filled = grammar_.sequence({content, space()});
    return grammar_.sequence(
        {grammar_.literal({&open, 1}), space(), may_be_empty ? grammar_.optional(filled) : filled, grammar_.literal({&close, 1})});
}

Expr JsonText::member(Expr name, Expr value) {
    return grammar_.sequence({name, grammar_.literal(":"), grammar_.optional(grammar_.literal(" ")), value});
}

Expr JsonText::list(Expr item, uint32_t min, uint32_t max) {
    const uint32_t more = max == unlimited ? unlimited : max - 1;
    return grammar_.sequence({item, grammar_.repeat(grammar_.sequence({comma(), item}), min == 0 ? 0 : min - 1, more)});
}

Expr JsonText::value() {
    return shared(value_, [&] { return grammar_.choice({object(), array(), string(), number(), boolean(), null()}); });
}

Expr JsonText::object() {
    return shared(object_, [&] { return braces(list(member(string(), value()), 0, unlimited), true); });
}

Expr JsonText::array() {
    return shared(array_, [&] { return brackets(list(value(), 0, unlimited), true); });
}

Expr JsonText::boolean() { return grammar_.choice({grammar_.literal("true"), grammar_.literal("false")}); }
Expr JsonText::null() { return grammar_.literal("null"); }

Expr JsonText::integer() {
    return shared(integer_, [&] {
        const Expr digit = grammar_.characters({{'0', '9'}});
        const Expr natural = grammar_.choice(
            {grammar_.literal("0"), grammar_.sequence({grammar_.characters({{'1', '9'}}), grammar_.repeat(digit, 0, max_digits - 1)})});
        return grammar_.sequence({grammar_.optional(grammar_.literal("-")), natural});
    });
}

Expr JsonText::number() {
    return shared(number_, [&] {
        const Expr digit = grammar_.characters({{'0', '9'}});
        const Expr fraction = grammar_.sequence({grammar_.literal("."), grammar_.repeat(digit, 1, max_digits)});
        const Expr sign = grammar_.optional(grammar_.characters({{'+', '+'}, {'-', '-'}}));
        const Expr exponent =
            grammar_.sequence({grammar_.characters({{'E', 'E'}, {'e', 'e'}}), sign, grammar_.repeat(digit, 1, max_exponent_digits)});
        return grammar_.sequence({integer(), grammar_.optional(fraction), grammar_.optional(exponent)});
    });
}

// One character, in any of its spellings; those beyond the basic plane also as two escapes, but never half of them.
Expr JsonText::character() {
    if (character_) return *character_;
    const auto hex = [&](uint32_t n) { return grammar_.repeat(grammar_.characters({{'0', '9'}, {'A', 'F'}, {'a', 'f'}}), n, n); };
    const auto one_of = [&](std::string_view set) {
        std::vector<CharRange> ranges;
        for (const char c : set) ranges.push_back({static_cast<char32_t>(c), static_cast<char32_t>(c)});
        return grammar_.characters(std::move(ranges));
    };
    const Expr low_half = grammar_.sequence({grammar_.literal("\\u"), one_of("dD"), one_of("CDEFcdef"), hex(2)});
    const Expr unicode = grammar_.choice({
        grammar_.sequence({one_of("0123456789ABCEFabcef"), hex(3)}),
        grammar_.sequence({one_of("dD"), one_of("01234567"), hex(2)}),
        grammar_.sequence({one_of("dD"), one_of("89ABab"), hex(2), low_half}),
    });
    const Expr escape = grammar_.sequence(
        {grammar_.literal("\\"), grammar_.choice({one_of("\"\\/bfnrt"), grammar_.sequence({grammar_.literal("u"), unicode})})});
    character_ = grammar_.choice({grammar_.characters({plain_ranges.begin(), plain_ranges.end()}), escape});
    return *character_;
}

Expr JsonText::string() {
    return shared(string_, [&] { return string(0, unlimited); });
}

Expr JsonText::string(uint32_t min, uint32_t max) {
    const Expr quote = grammar_.literal("\"");
    return grammar_.sequence({quote, grammar_.repeat(character(), min, max), quote});
}

template <class Label>
Expr JsonText::graph(const Language& language, Label label) {
    const auto& states = language.automaton().states;
    const auto end = static_cast<uint32_t>(states.size());
    Graph graph{.n_states = end + 1, .edges = {}};
    const Expr nothing = grammar_.empty();
    for (uint32_t s = 0; s < end; ++s) {
        for (const Dfa::Edge& e : states[s].edges) graph.edges.push_back({s, label(e.low, e.high), e.to});
        if (states[s].accepting) graph.edges.push_back({s, nothing, end});
    }
    return grammar_.graph(std::move(graph));
}

Expr JsonText::plain(const Language& language) {
    return graph(language, [&](char32_t low, char32_t high) { return grammar_.characters({{low, high}}); });
}

Expr JsonText::string(const Language& language) {
    const auto label = [&](char32_t low, char32_t high) {
        std::vector<Expr> options;
        std::vector<CharRange> plain;
        for (const CharRange& r : plain_ranges)
            if (low <= r.high && high >= r.low) plain.push_back({std::max(low, r.low), std::min(high, r.high)});
        if (!plain.empty()) options.push_back(grammar_.characters(std::move(plain)));
        for (const Escape& e : short_escapes)
            if (e.character >= low && e.character <= high) options.push_back(grammar_.literal(e.text));
        for (char32_t c = low; c <= std::min<char32_t>(high, first_printable - 1); ++c) {
            const bool is_short =
                std::any_of(short_escapes.begin(), short_escapes.end(), [&](const Escape& e) { return e.character == c; });
            if (!is_short) options.push_back(grammar_.literal(fmt::format("\\u{:04x}", static_cast<uint32_t>(c))));
        }
        return grammar_.choice(std::move(options));
    };
    const Expr quote = grammar_.literal("\"");
    return grammar_.sequence({quote, graph(language, label), quote});
}

Expr JsonText::constant(const Json& value) {
    if (!value.is_structured()) return grammar_.literal(value.dump());
    std::vector<Expr> parts;
    for (const auto& item : value.items()) {
        if (!parts.empty()) parts.push_back(comma());
        const Expr one = constant(item.value());
        parts.push_back(value.is_object() ? member(constant(item.key()), one) : one);
    }
    const bool is_empty = parts.empty();
    const Expr content = is_empty ? grammar_.never() : grammar_.sequence(std::move(parts));
    return value.is_object() ? braces(content, is_empty) : brackets(content, is_empty);
}

}  // namespace kylin::grammar
