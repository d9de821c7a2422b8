// Limits, errors and origins of the template language. That it means what Jinja means is jinja_oracle.py's to show.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "base/error.h"
#include "base/utf8.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/parser.h"

namespace kylin::jinja {
namespace {

using ::testing::HasSubstr;

Text run(std::string_view source, const Variables& variables = {}, const Limits& limits = {}) {
    return render(parse(source), variables, limits);
}

std::string error_of(std::string_view source, const Variables& variables = {}, const Limits& limits = {}) {
    try {
        run(source, variables, limits);
    } catch (const InputError& e) {
        return e.what();
    }
    return "no error";
}

// The text with what came from content in brackets.
std::string marked(const Text& text) {
    std::string out;
    for (size_t i = 0; i < text.size(); ++i) {
        const bool content = text.origin(i) == Origin::content;
        if (content && (i == 0 || text.origin(i - 1) != Origin::content)) out += '[';
        out += text.bytes()[i];
        if (content && (i + 1 == text.size() || text.origin(i + 1) != Origin::content)) out += ']';
    }
    return out;
}

Variables message(const std::string& content) {
    return {{"m", from_json({{"role", "user"}, {"content", content}, {"parts", {"a", "b"}}}, 10)}};
}

TEST(Origin, FollowsTextThroughEveryOperation) {
    const Variables m = message(" <think>Hi</think>\nyou ");
    EXPECT_EQ(marked(run("<{{ m.content.strip() }}>", m)), "<[<think>Hi</think>\nyou]>");
    EXPECT_EQ(marked(run("{{ '<' + m.content.split('</think>')[-1].lstrip('\n') + '>' }}", m)), "<[you ]>");
    EXPECT_EQ(marked(run("{{ m.content | replace('Hi', 'Ho') | trim }}", m)), "[<think>]Ho[</think>\nyou]");
    EXPECT_EQ(marked(run("{{ (m.content ~ '!') | upper }}", m)), "[ <THINK>HI</THINK>\nYOU ]!");
    EXPECT_EQ(marked(run("{{ m.parts | join(', ') }}", m)), "[a], [b]");
    EXPECT_EQ(marked(run("{{ m.content[1:3] }}{{ m.content[::-1][1:3] }}{{ m.content[2] }}", m)), "[<tuot]");
    EXPECT_EQ(marked(run("{{ m.role * 2 }}-{{ m.role | title }}-{{ m.role | first }}", m)), "[useruser]-[User]-[u]");
    EXPECT_EQ(marked(run("{% for c in m.role %}{{ c }}.{% endfor %}", m)), "[u].[s].[e].[r].");
    EXPECT_EQ(marked(run("{% set x %}<{{ m.role }}>{% endset %}{{ x | trim }}", m)), "<[user]>");
    EXPECT_EQ(marked(run("{% macro f(x) %}<{{ x }}>{% endmacro %}{{ f(m.role) }}", m)), "<[user]>");
    EXPECT_EQ(marked(run("{% set ns = namespace(x='') %}{% set ns.x = ns.x + m.role %}{{ ns.x + '.' }}", m)), "[user].");
    EXPECT_EQ(marked(run("{{ m.role | indent(2, true) }}", m)), "  [user]");
    EXPECT_EQ(marked(run("{% for k in m %}{{ k }} {% endfor %}", m)), "[role] [content] [parts] ");
}

TEST(Origin, WhateverIsMadeOfAContainerIsContent) {
    const Variables m = message("x");
    EXPECT_EQ(marked(run("<{{ m.parts | tojson }}>", m)), "<[[\"a\", \"b\"]]>");
    EXPECT_EQ(marked(run("{{ m.parts | string }}", m)), "[['a', 'b']]");
    EXPECT_EQ(marked(run("{{ m.role | tojson }}", m)), "[\"user\"]");
}

TEST(Errors, NameTheLine) {
    EXPECT_THAT(error_of("a\n{{ b.c }}"), HasSubstr("line 2: 'b' is undefined"));
    EXPECT_THAT(error_of("\n\n{% if %}"), HasSubstr("line 3"));
    EXPECT_THAT(error_of("{{ raise_exception('no tools') }}"), HasSubstr("no tools"));
}

TEST(Errors, WhatIsOutsideTheSubsetIsRefusedByName) {
    EXPECT_THAT(error_of("{% include 'x' %}"), HasSubstr("'include' is not supported"));
    EXPECT_THAT(error_of("{% extends 'x' %}"), HasSubstr("'extends' is not supported"));
    EXPECT_THAT(error_of("{{ x | xmlattr }}"), HasSubstr("filter 'xmlattr' is not supported"));
    EXPECT_THAT(error_of("{{ f(*x) }}"), HasSubstr("unpacked arguments"));
    EXPECT_THAT(error_of("{% for x in y recursive %}{% endfor %}"), HasSubstr("recursive loops"));
    EXPECT_THAT(error_of("{% break %}"), HasSubstr("'break' is not supported here"));
}

TEST(Errors, NothingIsDividedByZero) {
    for (const char* expression : {"1 // 0", "1 % 0", "1 / 0", "1.5 / 0", "1.5 // 0.0", "1.5 % 0", "1 is divisibleby 0"})
        EXPECT_THAT(error_of("{{ " + std::string(expression) + " }}"), HasSubstr("division by zero")) << expression;
    EXPECT_THAT(error_of("{{ [1, 2][::0] }}"), HasSubstr("the step of a slice is zero"));
    EXPECT_THAT(error_of("{{ 'ab'[::0] }}"), HasSubstr("the step of a slice is zero"));
    EXPECT_THAT(error_of("{{ range(1, 2, 0) }}"), HasSubstr("the step of range is zero"));
    EXPECT_THAT(error_of("{{ 'ab'.split('') }}"), HasSubstr("the separator of split is empty"));
    EXPECT_THAT(error_of("{{ 'ab'.rsplit('') }}"), HasSubstr("the separator of rsplit is empty"));
}

TEST(Limits, EndlessWorkStops) {
    EXPECT_THAT(error_of("{% for i in range(1000000000) %}{% endfor %}"), HasSubstr("range is too long"));
    EXPECT_THAT(error_of("{% for i in range(10000) %}{% for j in range(10000) %}{% endfor %}{% endfor %}"), HasSubstr("too many steps"));
    EXPECT_THAT(error_of("{{ 'x' * 1000000000000 }}"), HasSubstr("too many steps"));
    EXPECT_THAT(error_of("{{ [1] * 1000000000000 }}"), HasSubstr("too many steps"));
    EXPECT_THAT(error_of("{% set ns = namespace(x='xxxxxxxx') %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}"),
                HasSubstr("too many steps"));
    // A list that holds itself twice, over and over: small to make, endless to write or compare.
    const std::string doubling =
        "{% set ns = namespace(x=[1], y=[1]) %}{% for i in range(80) %}{% set ns.x = [ns.x, ns.x] %}{% set ns.y = [ns.y, ns.y] %}{% endfor "
        "%}";
    for (const char* use : {"{{ ns.x }}", "{{ ns.x | tojson }}", "{{ ns.x == ns.y }}", "{{ ns.x in [ns.y] }}", "{{ ns.x ~ '' }}",
                            "{{ ns.x is eq ns.y }}", "{{ [ns.x, ns.y] | unique | list }}", "{{ [ns.x] | join }}"})
        EXPECT_THAT(error_of(doubling + use), HasSubstr("too many steps")) << use;
    EXPECT_THAT(error_of("{{ 'a' | indent(1000000000000, true) }}"), HasSubstr("too many steps"));
    EXPECT_THAT(error_of("{{ [1] | tojson(indent=1000000000000) }}"), HasSubstr("the indent is too large"));
    EXPECT_THAT(error_of("{{ 2 ** 64 }}"), HasSubstr("too large"));
    EXPECT_THAT(error_of("{{ (-9223372036854775807 - 1) | abs }}"), HasSubstr("too large"));
    EXPECT_THAT(error_of("{{ [9223372036854775807, 1] | sum }}"), HasSubstr("too large"));
    EXPECT_EQ(run("{{ range(9223372036854775806, 9223372036854775807, 2) | list }}").bytes(), "[9223372036854775806]");
    EXPECT_THAT(error_of("{{ 9223372036854775807 + 1 }}"), HasSubstr("too large"));
    EXPECT_THAT(error_of("{{ 9223372036854775808 }}"), HasSubstr("too large"));
    EXPECT_EQ(run("{{ -9223372036854775807 - 1 }}{{ (-9223372036854775807 - 1) % -1 }}").bytes(), "-92233720368547758080");
}

TEST(Limits, LongOutputStops) {
    Limits limits;
    limits.output_bytes = 10;
    EXPECT_EQ(run("0123456789", {}, limits).bytes(), "0123456789");
    EXPECT_THAT(error_of("0123456789{{ 1 }}", {}, limits), HasSubstr("writes too much"));
}

TEST(Limits, DeepNestingStops) {
    const auto times = [](const std::string& unit, size_t n) {
        std::string out;
        for (size_t i = 0; i < n; ++i) out += unit;
        return out;
    };
    const size_t deep = 100'000;
    EXPECT_THAT(error_of("{{ " + times("(", deep) + "1" + times(")", deep) + " }}"), HasSubstr("nested too deeply"));
    EXPECT_THAT(error_of("{{ " + times("[", deep) + times("]", deep) + " }}"), HasSubstr("nested too deeply"));
    EXPECT_THAT(error_of("{{ " + times("not ", deep) + "1 }}"), HasSubstr("nested too deeply"));
    EXPECT_THAT(error_of("{{ " + times("-", deep) + "1 }}"), HasSubstr("nested too deeply"));
    EXPECT_THAT(error_of("{{ 1" + times("+1", deep) + " }}"), HasSubstr("too long"));
    EXPECT_THAT(error_of("{{ x" + times(".a", deep) + " }}"), HasSubstr("too long"));
    EXPECT_THAT(error_of("{{ x" + times("|trim", deep) + " }}"), HasSubstr("too long"));
    EXPECT_THAT(error_of("{{ 1" + times(" if 1 else 1", deep / 2) + " }}"), HasSubstr("nested too deeply"));
    EXPECT_THAT(error_of(times("{% if 1 %}", deep / 2)), HasSubstr("nested too deeply"));
    EXPECT_THAT(error_of("{% macro f(n) %}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}"), HasSubstr("nested too deeply"));
    EXPECT_THAT(error_of("{% set ns = namespace(x=[]) %}{% for i in range(9999) %}{% set ns.x = [ns.x] %}{% endfor %}"),
                HasSubstr("nested too deeply"));
    EXPECT_THAT(error_of("{% set ns = namespace() %}{% set ns.x = ns %}"), HasSubstr("namespace inside another value"));
    EXPECT_THAT(error_of(std::string((size_t{1} << 20) + 1, 'x')), HasSubstr("longer than 1 MiB"));
}

// Any heap of fragments gives text or an InputError; sanitizers watch.
TEST(Errors, AnyTemplateIsSurvived) {
    static const std::vector<std::string> fragments = {
        "{{",         "}}",       "{%",    "%}",     "{%-",    "-%}",    "{#",    "#}",       " ",      "\n",     "if",       "else",
        "endif",      "for",      "in",    "endfor", "set",    "endset", "macro", "endmacro", "x",      "m",      ".content", ".role",
        "[",          "]",        "(",     ")",      "{",      "}",      ":",     ",",        "=",      "==",     "~",        "+",
        "-",          "*",        "/",     "%",      "**",     "|",      "trim",  "tojson",   "length", "map",    "is",       "not",
        "defined",    "and",      "or",    "0",      "7",      "1.5",    "'a'",   "\"b\"",    "'",      "[::-1]", "[0]",      "none",
        "loop.index", "range(3)", "split", "raw",    "endraw", "\xC3",   "é"};
    static const std::vector<std::string> statements = {"{% for x in m %}", "{% endfor %}", "{% if x %}", "{% endif %}", "{{ x }}",
                                                        "{{ m | tojson }}", "{% set x = ",  " %}",        "{{ ",         " }}",
                                                        "{% else %}"};
    const Variables variables = message("<think> é");
    EXPECT_TRUE(rc::check([&] {
        const auto pieces =
            *rc::gen::container<std::vector<std::string>>(rc::gen::oneOf(rc::gen::elementOf(fragments), rc::gen::elementOf(statements)));
        std::string source;
        for (const std::string& piece : pieces) source += piece;
        Limits limits;
        limits.steps = 10'000;
        try {
            const Text text = run(source, variables, limits);
            RC_ASSERT(is_utf8(text.bytes()));
        } catch (const InputError&) {
        }
    }));
}

TEST(Limits, DeepJsonIsRefused) {
    nlohmann::ordered_json deep = 1;
    for (int i = 0; i < 200; ++i) deep = nlohmann::ordered_json::array({deep});
    EXPECT_THROW(from_json(deep, 100), InputError);
}

}  // namespace
}  // namespace kylin::jinja
