// How JSON is written, as rules of a grammar.
//
// White space is optional and bounded, so that a model cannot write it for ever: one space, or a line break with up to 32 spaces or 8
// tabs, after `{`, `[` and `,` and before `}` and `]`; one space after `:`. Numbers have at most 18 digits before and behind the point
// and two in the exponent, so every parser reads them as finite.
#pragma once
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "grammar/grammar.h"
#include "grammar/language.h"

namespace kylin::grammar {

using Json = nlohmann::ordered_json;

class JsonText {
public:
    explicit JsonText(Grammar& grammar) : grammar_(grammar) {}

    // Any value, and any of a kind.
    Expr value();
    Expr object();
    Expr array();
    Expr string();
    Expr integer();
    Expr number();
    Expr boolean();
    Expr null();

    // So many characters.
    Expr string(uint32_t min, uint32_t max);
    // Written the shortest way: each string has one text.
    Expr string(const Language& language);
    // This value; its strings and numbers are written the shortest way.
    Expr constant(const Json& value);
    // A text that is no string, such as a number.
    Expr plain(const Language& language);

    Expr braces(Expr members, bool may_be_empty) { return enclosed('{', members, '}', may_be_empty); }
    Expr brackets(Expr items, bool may_be_empty) { return enclosed('[', items, ']', may_be_empty); }
    Expr member(Expr name, Expr value);
    Expr comma();  // with the space behind it
    // min to max of them with commas between; max > 0, and none is written at all when there are none.
    Expr list(Expr item, uint32_t min, uint32_t max);

private:
    Expr enclosed(char open, Expr content, char close, bool may_be_empty);
    Expr space();
    Expr character();
    template <class Label>
    Expr graph(const Language& language, Label label);
    template <class Make>
    Expr shared(std::optional<RuleId>& rule, Make make);

    Grammar& grammar_;
    std::optional<Expr> character_;
    std::optional<RuleId> space_, value_, object_, array_, string_, integer_, number_;
};

}  // namespace kylin::grammar
