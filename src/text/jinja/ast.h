// The syntax tree of a template. Grammar, in the order of binding (loosest first):
//   expression = or ["if" or ["else" expression]]      or = and ("or" and)*      and = not ("and" not)*
//   not = "not" not | comparison                       comparison = sum (("==" | "!=" | "<" | ... | ["not"] "in") sum)*
//   sum = concat (("+" | "-") concat)*                 concat = product ("~" product)*
//   product = power (("*" | "/" | "//" | "%") power)*  power = unary ("**" unary)*
//   unary = ("-" | "+") unary | primary postfix*       postfix = "." name | "[" key "]" | "(" arguments ")" | "|" filter | "is" ["not"]
//   test primary = literal | name | "(" tuple ")" | "[" items "]" | "{" pairs "}"
#pragma once
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "text/jinja/value.h"

namespace kylin::jinja {

struct Expr;
using ExprPtr = std::unique_ptr<const Expr>;

enum class Operator { add, subtract, concatenate, multiply, divide, floor_divide, remainder, power, logical_and, logical_or };
enum class Comparator { equal, not_equal, less, less_equal, greater, greater_equal, in, not_in };
enum class Sign { plus, minus, logical_not };

struct Argument {
    std::string name;  // empty: by its place
    ExprPtr value;
};
struct Literal {
    Value value;
};
struct Name {
    std::string id;
};
struct ListLiteral {
    std::vector<ExprPtr> items;
    bool is_tuple;
};
struct DictLiteral {
    std::vector<std::pair<ExprPtr, ExprPtr>> items;
};
struct Member {
    ExprPtr object;
    std::string name;
};
struct Subscript {
    ExprPtr object, key;
};
struct Slice {  // a part that is not written is null
    ExprPtr object, start, stop, step;
};
struct Call {
    ExprPtr callee;
    std::vector<Argument> arguments;
};
struct Filter {
    ExprPtr input;
    std::string name;
    std::vector<Argument> arguments;
};
struct Test {
    ExprPtr input;
    std::string name;
    std::vector<Argument> arguments;
    bool negated;
};
struct Unary {
    Sign sign;
    ExprPtr operand;
};
struct Binary {
    Operator op;
    ExprPtr left, right;
};
struct Comparison {
    ExprPtr first;
    std::vector<std::pair<Comparator, ExprPtr>> rest;
};
struct Conditional {  // without "else", `otherwise` is null
    ExprPtr condition, value, otherwise;
};

struct Expr {
    using Node = std::variant<Literal, Name, ListLiteral, DictLiteral, Member, Subscript, Slice, Call, Filter, Test, Unary, Binary,
                              Comparison, Conditional>;
    Node node;
    size_t line;
    int depth;  // of the tree; the parser bounds it, because evaluating and destroying recurse
};

struct Statement;
using Body = std::vector<Statement>;

struct Data {
    std::string text;
};
struct Output {
    ExprPtr value;
};
struct If {
    std::vector<std::pair<ExprPtr, Body>> branches;
    Body otherwise;
};
struct For {
    std::vector<std::string> targets;
    ExprPtr iterable, condition;  // condition may be null
    Body body, otherwise;
};
struct Set {
    std::vector<std::string> targets;
    ExprPtr value;
};
struct SetMember {  // of a namespace
    std::string object, member;
    ExprPtr value;
};
// {% set x | filters %}...{% endset %} and, without a target, {% filter filters %}...{% endfilter %}.
struct Capture {
    std::string target;
    ExprPtr filtered;  // reads the captured text by the name `captured`
    Body body;
};
inline constexpr const char* captured = "(captured)";  // no template can write this name

struct Macro {
    std::string name;
    std::vector<std::pair<std::string, ExprPtr>> parameters;  // with its default, or null
    Body body;
};
struct Break {};
struct Continue {};

struct Statement {
    std::variant<Data, Output, If, For, Set, SetMember, Capture, Macro, Break, Continue> node;
    size_t line;
};

}  // namespace kylin::jinja
