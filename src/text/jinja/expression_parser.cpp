// One function per line of the grammar in ast.h.
#include "text/jinja/expression_parser.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "base/error.h"
#include "text/jinja/builtins.h"

namespace kylin::jinja {
namespace {

constexpr int max_tree_depth = 400, max_level = 200;

int depth_of(const ExprPtr& e) { return e ? e->depth : 0; }
int depth_of(const Argument& a) { return depth_of(a.value); }
template <class T>
int depth_of(const std::pair<T, ExprPtr>& p) {
    return depth_of(p.second);
}
int depth_of(const std::pair<ExprPtr, ExprPtr>& p) { return std::max(depth_of(p.first), depth_of(p.second)); }
template <class T>
int depth_of(const std::vector<T>& v) {
    int depth = 0;
    for (const T& e : v) depth = std::max(depth, depth_of(e));
    return depth;
}

int depth_of(const Literal&) { return 0; }
int depth_of(const Name&) { return 0; }
int depth_of(const ListLiteral& n) { return depth_of(n.items); }
int depth_of(const DictLiteral& n) { return depth_of(n.items); }
int depth_of(const Member& n) { return depth_of(n.object); }
int depth_of(const Subscript& n) { return std::max(depth_of(n.object), depth_of(n.key)); }
int depth_of(const Slice& n) { return std::max({depth_of(n.object), depth_of(n.start), depth_of(n.stop), depth_of(n.step)}); }
int depth_of(const Call& n) { return std::max(depth_of(n.callee), depth_of(n.arguments)); }
int depth_of(const Filter& n) { return std::max(depth_of(n.input), depth_of(n.arguments)); }
int depth_of(const Test& n) { return std::max(depth_of(n.input), depth_of(n.arguments)); }
int depth_of(const Unary& n) { return depth_of(n.operand); }
int depth_of(const Binary& n) { return std::max(depth_of(n.left), depth_of(n.right)); }
int depth_of(const Comparison& n) { return std::max(depth_of(n.first), depth_of(n.rest)); }
int depth_of(const Conditional& n) { return std::max({depth_of(n.condition), depth_of(n.value), depth_of(n.otherwise)}); }

struct Spelling {
    std::string_view text;
    Operator op;
};
constexpr std::array sums = {Spelling{"+", Operator::add}, Spelling{"-", Operator::subtract}};
constexpr std::array products = {Spelling{"*", Operator::multiply}, Spelling{"/", Operator::divide}, Spelling{"//", Operator::floor_divide},
                                 Spelling{"%", Operator::remainder}};
constexpr std::array concatenations = {Spelling{"~", Operator::concatenate}};
constexpr std::array powers = {Spelling{"**", Operator::power}};

struct ComparatorSpelling {
    std::string_view text;
    Comparator comparator;
};
constexpr ComparatorSpelling comparators[] = {{"==", Comparator::equal},  {"!=", Comparator::not_equal},
                                              {"<", Comparator::less},    {"<=", Comparator::less_equal},
                                              {">", Comparator::greater}, {">=", Comparator::greater_equal}};

template <size_t n>
std::optional<Operator> spelled(const Token& token, const std::array<Spelling, n>& spellings) {
    if (token.kind != Token::op) return std::nullopt;
    for (const Spelling& s : spellings)
        if (s.text == token.text) return s.op;
    return std::nullopt;
}

}  // namespace

template <class Node>
ExprPtr ExpressionParser::make(size_t line, Node node) {
    const int depth = 1 + depth_of(node);
    if (depth > max_tree_depth) fail("an expression is too long");
    return std::make_unique<const Expr>(Expr{std::move(node), line, depth});
}
template ExprPtr ExpressionParser::make(size_t line, Name node);

ExpressionParser::Level::Level(ExpressionParser& parser) : parser_(parser) {
    if (++parser_.level_ > max_level) parser_.fail("is nested too deeply");
}

void ExpressionParser::fail(const std::string& what) const { throw InputError("chat template line " + std::to_string(peek().line), what); }

Token ExpressionParser::next() {
    Token token = peek();
    if (at_ + 1 < tokens_.size()) ++at_;
    return token;
}

bool ExpressionParser::take_op(std::string_view text) {
    if (!is_op(text)) return false;
    next();
    return true;
}

bool ExpressionParser::take_name(std::string_view text) {
    if (!is_name(text)) return false;
    next();
    return true;
}

void ExpressionParser::expect_op(std::string_view text) {
    if (!take_op(text)) fail("expected '" + std::string(text) + "', found '" + peek().text + "'");
}

void ExpressionParser::expect_name(std::string_view text) {
    if (!take_name(text)) fail("expected '" + std::string(text) + "', found '" + peek().text + "'");
}

std::string ExpressionParser::expect_identifier(std::string_view what) {
    if (peek().kind != Token::name) fail("expected " + std::string(what) + ", found '" + peek().text + "'");
    return next().text;
}

ExprPtr ExpressionParser::expression() {
    const Level level(*this);
    const size_t line = peek().line;
    ExprPtr value = or_expression();
    while (take_name("if")) {
        ExprPtr condition = or_expression();
        ExprPtr otherwise = take_name("else") ? expression() : nullptr;
        value = make(line, Conditional{std::move(condition), std::move(value), std::move(otherwise)});
    }
    return value;
}

ExprPtr ExpressionParser::tuple(bool with_conditional) {
    const size_t line = peek().line;
    const auto item = [&] { return with_conditional ? expression() : or_expression(); };
    ExprPtr first = item();
    if (!is_op(",")) return first;
    std::vector<ExprPtr> items;
    items.push_back(std::move(first));
    while (take_op(",")) {
        const bool ended = is_op(")") || is_op("=") || peek().kind == Token::block_end || peek().kind == Token::variable_end;
        if (ended) break;
        items.push_back(item());
    }
    return make(line, ListLiteral{std::move(items), true});
}

ExprPtr ExpressionParser::or_expression() {
    ExprPtr left = and_expression();
    while (is_name("or")) {
        const size_t line = next().line;
        left = make(line, Binary{Operator::logical_or, std::move(left), and_expression()});
    }
    return left;
}

ExprPtr ExpressionParser::and_expression() {
    ExprPtr left = not_expression();
    while (is_name("and")) {
        const size_t line = next().line;
        left = make(line, Binary{Operator::logical_and, std::move(left), not_expression()});
    }
    return left;
}

ExprPtr ExpressionParser::not_expression() {
    const Level level(*this);
    if (!is_name("not")) return comparison();
    const size_t line = next().line;
    return make(line, Unary{Sign::logical_not, not_expression()});
}

ExprPtr ExpressionParser::comparison() {
    const size_t line = peek().line;
    ExprPtr first = sum();
    std::vector<std::pair<Comparator, ExprPtr>> rest;
    for (;;) {
        std::optional<Comparator> comparator;
        for (const auto& [text, meaning] : comparators)
            if (is_op(text)) comparator = meaning;
        if (is_name("in")) comparator = Comparator::in;
        if (is_name("not") && peek(1).kind == Token::name && peek(1).text == "in") {
            next();
            comparator = Comparator::not_in;
        }
        if (!comparator) break;
        next();
        rest.emplace_back(*comparator, sum());
    }
    return rest.empty() ? std::move(first) : make(line, Comparison{std::move(first), std::move(rest)});
}

ExprPtr ExpressionParser::sum() {
    ExprPtr left = concatenation();
    while (const auto op = spelled(peek(), sums)) {
        const size_t line = next().line;
        left = make(line, Binary{*op, std::move(left), concatenation()});
    }
    return left;
}

ExprPtr ExpressionParser::concatenation() {
    ExprPtr left = product();
    while (const auto op = spelled(peek(), concatenations)) {
        const size_t line = next().line;
        left = make(line, Binary{*op, std::move(left), product()});
    }
    return left;
}

ExprPtr ExpressionParser::product() {
    ExprPtr left = power();
    while (const auto op = spelled(peek(), products)) {
        const size_t line = next().line;
        left = make(line, Binary{*op, std::move(left), power()});
    }
    return left;
}

ExprPtr ExpressionParser::power() {
    ExprPtr left = unary();
    while (const auto op = spelled(peek(), powers)) {
        const size_t line = next().line;
        left = make(line, Binary{*op, std::move(left), unary()});
    }
    return left;
}

ExprPtr ExpressionParser::unary(bool with_filters) {
    const Level level(*this);
    const size_t line = peek().line;
    ExprPtr value;
    if (take_op("-"))
        value = make(line, Unary{Sign::minus, unary(false)});
    else if (take_op("+"))
        value = make(line, Unary{Sign::plus, unary(false)});
    else
        value = primary();
    value = postfix(std::move(value));
    return with_filters ? filters_and_tests(std::move(value)) : std::move(value);
}

ExprPtr ExpressionParser::primary() {
    const Token& token = peek();
    const size_t line = token.line;
    switch (token.kind) {
        case Token::name:
            return named_or_literal();
        case Token::string: {
            std::string text;
            while (peek().kind == Token::string) text += next().text;
            return make(line, Literal{Value::source(text)});
        }
        case Token::integer: {
            int64_t n = 0;
            const auto [end, error] = std::from_chars(token.text.data(), token.text.data() + token.text.size(), n);
            if (error != std::errc()) fail("the number " + token.text + " is too large");
            next();
            return make(line, Literal{Value(n)});
        }
        case Token::floating: {
            double x = 0;
            const auto [end, error] = std::from_chars(token.text.data(), token.text.data() + token.text.size(), x);
            if (error != std::errc()) fail("the number " + token.text + " is too large");
            next();
            return make(line, Literal{Value(x)});
        }
        default:
            break;
    }
    if (take_op("(")) {
        if (take_op(")")) return make(line, ListLiteral{{}, true});
        ExprPtr inner = tuple();
        expect_op(")");
        return inner;
    }
    if (is_op("[")) return list_literal();
    if (is_op("{")) return dict_literal();
    fail("expected an expression, found '" + token.text + "'");
}

ExprPtr ExpressionParser::named_or_literal() {
    const Token token = next();
    if (token.text == "true" || token.text == "True") return make(token.line, Literal{Value(true)});
    if (token.text == "false" || token.text == "False") return make(token.line, Literal{Value(false)});
    if (token.text == "none" || token.text == "None") return make(token.line, Literal{None{}});
    return make(token.line, Name{token.text});
}

ExprPtr ExpressionParser::list_literal() {
    const size_t line = next().line;
    std::vector<ExprPtr> items;
    while (!is_op("]")) {
        items.push_back(expression());
        if (!take_op(",")) break;
    }
    expect_op("]");
    return make(line, ListLiteral{std::move(items), false});
}

ExprPtr ExpressionParser::dict_literal() {
    const size_t line = next().line;
    std::vector<std::pair<ExprPtr, ExprPtr>> items;
    while (!is_op("}")) {
        ExprPtr key = expression();
        expect_op(":");
        items.emplace_back(std::move(key), expression());
        if (!take_op(",")) break;
    }
    expect_op("}");
    return make(line, DictLiteral{std::move(items)});
}

ExprPtr ExpressionParser::postfix(ExprPtr object) {
    for (;;) {
        const size_t line = peek().line;
        if (take_op(".")) {
            if (peek().kind == Token::integer)
                object = make(line, Subscript{std::move(object), primary()});
            else
                object = make(line, Member{std::move(object), expect_identifier("a name after '.'")});
        } else if (is_op("[")) {
            object = subscript(std::move(object));
        } else if (is_op("(")) {
            object = make(line, Call{std::move(object), arguments()});
        } else {
            return object;
        }
    }
}

ExprPtr ExpressionParser::subscript(ExprPtr object) {
    const size_t line = next().line;
    const auto part = [&] { return is_op(":") || is_op("]") ? nullptr : expression(); };
    ExprPtr start = part();
    if (take_op("]")) {
        if (!start) fail("a subscript is empty");
        return make(line, Subscript{std::move(object), std::move(start)});
    }
    expect_op(":");
    ExprPtr stop = part();
    ExprPtr step = take_op(":") ? part() : nullptr;
    expect_op("]");
    return make(line, Slice{std::move(object), std::move(start), std::move(stop), std::move(step)});
}

ExprPtr ExpressionParser::filters_and_tests(ExprPtr object) {
    for (;;) {
        const size_t line = peek().line;
        if (take_op("|"))
            object = filter(std::move(object));
        else if (take_name("is"))
            object = test(std::move(object));
        else if (is_op("("))
            object = make(line, Call{std::move(object), arguments()});
        else
            return object;
    }
}

ExprPtr ExpressionParser::filters(ExprPtr input) {
    do input = filter(std::move(input));
    while (take_op("|"));
    return input;
}

ExprPtr ExpressionParser::filter(ExprPtr input) {
    const size_t line = peek().line;
    const std::string name = expect_identifier("the name of a filter");
    if (!is_filter(name)) fail("the filter '" + name + "' is not supported");
    std::vector<Argument> given;
    if (is_op("(")) given = arguments();
    return make(line, Filter{std::move(input), name, std::move(given)});
}

ExprPtr ExpressionParser::test(ExprPtr input) {
    const size_t line = peek().line;
    const bool negated = take_name("not");
    const std::string name = expect_identifier("the name of a test");
    if (!is_test(name)) fail("the test '" + name + "' is not supported");
    std::vector<Argument> given;
    const auto starts_argument = [&] {
        if (peek().kind == Token::name) return !is_name("else") && !is_name("or") && !is_name("and") && !is_name("is");
        return peek().kind == Token::string || peek().kind == Token::integer || peek().kind == Token::floating || is_op("[") || is_op("{");
    };
    if (is_op("("))
        given = arguments();
    else if (starts_argument())
        given.push_back({{}, postfix(primary())});
    return make(line, Test{std::move(input), name, std::move(given), negated});
}

std::vector<Argument> ExpressionParser::arguments() {
    expect_op("(");
    std::vector<Argument> given;
    while (!is_op(")")) {
        if (is_op("*") || is_op("**")) fail("unpacked arguments are not supported");
        std::string name;
        if (peek().kind == Token::name && is_op("=", 1)) {
            name = next().text;
            next();
        } else if (!given.empty() && !given.back().name.empty()) {
            fail("an argument by place follows one by name");
        }
        given.push_back({name, expression()});
        if (!take_op(",")) break;
    }
    expect_op(")");
    return given;
}

}  // namespace kylin::jinja
