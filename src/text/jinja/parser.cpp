// One function per statement.
#include "text/jinja/parser.h"

#include <algorithm>

#include "text/jinja/expression_parser.h"

namespace kylin::jinja {
namespace {

class Parser : ExpressionParser {
public:
    explicit Parser(std::string_view source) : ExpressionParser(source) {}

    Body run() {
        Body body = this->body({});
        if (peek().kind != Token::end) fail("'" + peek(1).text + "' closes nothing");
        return body;
    }

private:
    Body body(std::initializer_list<std::string_view> ends);
    bool at_tag(std::initializer_list<std::string_view> names) const;
    // Requires that a tag of that name is next.
    void skip_tag(std::string_view name);
    void close(std::string_view name);
    void end_block();

    void statement(Body& body);
    If if_statement();
    For for_statement();
    void set_statement(Body& body, size_t line);
    Capture filter_block();
    Macro macro_statement();
    ExprPtr captured_text(size_t line) { return make(line, Name{captured}); }

    int loops_ = 0, macros_ = 0;
};

bool Parser::at_tag(std::initializer_list<std::string_view> names) const {
    if (peek().kind != Token::block_begin || peek(1).kind != Token::name) return false;
    return std::find(names.begin(), names.end(), peek(1).text) != names.end();
}

Body Parser::body(std::initializer_list<std::string_view> ends) {
    const Level level(*this);
    Body body;
    for (;;) {
        const size_t line = peek().line;
        if (peek().kind == Token::data) {
            body.push_back({Data{next().text}, line});
        } else if (peek().kind == Token::variable_begin) {
            next();
            body.push_back({Output{tuple()}, line});
            if (peek().kind != Token::variable_end) fail("expected '}}', found '" + peek().text + "'");
            next();
        } else if (peek().kind == Token::block_begin && !at_tag(ends)) {
            next();
            statement(body);
        } else {
            return body;
        }
    }
}

void Parser::skip_tag(std::string_view name) {
    next();
    expect_name(name);
}

void Parser::close(std::string_view name) {
    if (!at_tag({name})) fail("expected '" + std::string(name) + "'");
    skip_tag(name);
    end_block();
}

void Parser::end_block() {
    if (peek().kind != Token::block_end) fail("expected '%}', found '" + peek().text + "'");
    next();
}

void Parser::statement(Body& body) {
    const size_t line = peek().line;
    const std::string name = expect_identifier("the name of a statement");
    if (name == "if") {
        body.push_back({if_statement(), line});
    } else if (name == "for") {
        body.push_back({for_statement(), line});
    } else if (name == "set") {
        set_statement(body, line);
    } else if (name == "filter") {
        body.push_back({filter_block(), line});
    } else if (name == "macro") {
        body.push_back({macro_statement(), line});
    } else if ((name == "break" || name == "continue") && loops_ > 0) {
        end_block();
        if (name == "break")
            body.push_back({Break{}, line});
        else
            body.push_back({Continue{}, line});
    } else if (name == "generation") {  // marks the assistant's words for training; here only its body counts
        end_block();
        Body inner = this->body({"endgeneration"});
        close("endgeneration");
        std::move(inner.begin(), inner.end(), std::back_inserter(body));
    } else {
        fail("the statement '" + name + "' is not supported here");
    }
}

If Parser::if_statement() {
    If node;
    ExprPtr condition = tuple(false);
    end_block();
    node.branches.emplace_back(std::move(condition), body({"elif", "else", "endif"}));
    while (at_tag({"elif"})) {
        skip_tag("elif");
        condition = tuple(false);
        end_block();
        node.branches.emplace_back(std::move(condition), body({"elif", "else", "endif"}));
    }
    if (at_tag({"else"})) {
        skip_tag("else");
        end_block();
        node.otherwise = body({"endif"});
    }
    close("endif");
    return node;
}

For Parser::for_statement() {
    For node;
    do node.targets.push_back(expect_identifier("the name of a loop variable"));
    while (take_op(","));
    expect_name("in");
    node.iterable = tuple(false);
    if (take_name("if")) node.condition = expression();
    if (is_name("recursive")) fail("recursive loops are not supported");
    end_block();
    ++loops_;
    node.body = body({"else", "endfor"});
    --loops_;
    if (at_tag({"else"})) {
        skip_tag("else");
        end_block();
        node.otherwise = body({"endfor"});
    }
    close("endfor");
    return node;
}

void Parser::set_statement(Body& body, size_t line) {
    std::vector<std::string> targets;
    do targets.push_back(expect_identifier("the name of a variable"));
    while (take_op(","));
    if (take_op(".")) {
        if (targets.size() > 1) fail("a tuple with a member cannot be set");
        const std::string member = expect_identifier("a name after '.'");
        expect_op("=");
        SetMember node{targets[0], member, tuple()};
        end_block();
        body.push_back({std::move(node), line});
        return;
    }
    if (take_op("=")) {
        Set node{std::move(targets), tuple()};
        end_block();
        body.push_back({std::move(node), line});
        return;
    }
    if (targets.size() > 1) fail("a block sets one variable");
    Capture node{targets[0], captured_text(line), {}};
    if (take_op("|")) node.filtered = filters(std::move(node.filtered));
    end_block();
    node.body = this->body({"endset"});
    close("endset");
    body.push_back({std::move(node), line});
}

Capture Parser::filter_block() {
    Capture node{{}, filters(captured_text(peek().line)), {}};
    end_block();
    node.body = body({"endfilter"});
    close("endfilter");
    return node;
}

Macro Parser::macro_statement() {
    if (loops_ > 0 || macros_ > 0) fail("a macro inside a loop or a macro is not supported");
    Macro node;
    node.name = expect_identifier("the name of a macro");
    expect_op("(");
    while (!is_op(")")) {
        std::string parameter = expect_identifier("the name of a parameter");
        ExprPtr value = take_op("=") ? expression() : nullptr;
        node.parameters.emplace_back(std::move(parameter), std::move(value));
        if (!take_op(",")) break;
    }
    expect_op(")");
    end_block();
    ++macros_;
    node.body = body({"endmacro"});
    close("endmacro");
    --macros_;
    return node;
}

}  // namespace

Body parse(std::string_view source) { return Parser(source).run(); }

}  // namespace kylin::jinja
