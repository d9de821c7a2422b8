// The expressions of a template; parser.cpp adds the statements.
#pragma once
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "text/jinja/ast.h"
#include "text/jinja/lexer.h"

namespace kylin::jinja {

class ExpressionParser {
protected:
    explicit ExpressionParser(std::string_view source) : tokens_(tokenize(source)) {}

    const Token& peek(size_t ahead = 0) const { return tokens_[std::min(at_ + ahead, tokens_.size() - 1)]; }
    Token next();
    bool is_op(std::string_view text, size_t ahead = 0) const { return peek(ahead).kind == Token::op && peek(ahead).text == text; }
    bool is_name(std::string_view text) const { return peek().kind == Token::name && peek().text == text; }
    bool take_op(std::string_view text);
    bool take_name(std::string_view text);
    void expect_op(std::string_view text);
    void expect_name(std::string_view text);
    std::string expect_identifier(std::string_view what);
    [[noreturn]] void fail(const std::string& what) const;

    ExprPtr expression();
    ExprPtr or_expression();
    // Expressions with commas between them are a tuple.
    ExprPtr tuple(bool with_conditional = true);
    // Filters behind a "|", onto `input`.
    ExprPtr filters(ExprPtr input);

    // Counts one level of recursion while it lives.
    class Level {
    public:
        explicit Level(ExpressionParser& parser);
        ~Level() { --parser_.level_; }
        Level(const Level&) = delete;
        Level& operator=(const Level&) = delete;

    private:
        ExpressionParser& parser_;
    };

    template <class Node>
    ExprPtr make(size_t line, Node node);

private:
    ExprPtr and_expression();
    ExprPtr not_expression();
    ExprPtr comparison();
    ExprPtr sum();
    ExprPtr concatenation();
    ExprPtr product();
    ExprPtr power();
    ExprPtr unary(bool with_filters = true);
    ExprPtr primary();
    ExprPtr named_or_literal();
    ExprPtr list_literal();
    ExprPtr dict_literal();
    ExprPtr postfix(ExprPtr object);
    ExprPtr filters_and_tests(ExprPtr object);
    ExprPtr filter(ExprPtr input);
    ExprPtr test(ExprPtr input);
    ExprPtr subscript(ExprPtr object);
    std::vector<Argument> arguments();

    std::vector<Token> tokens_;
    size_t at_ = 0;
    int level_ = 0;
};

}  // namespace kylin::jinja
