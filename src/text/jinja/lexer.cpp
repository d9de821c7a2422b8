// Follows Jinja's own lexer in what a tag does to the white space around it.
#include "text/jinja/lexer.h"

#include <algorithm>

#include "base/error.h"
#include "text/jinja/python_text.h"
#include "text/unicode.h"

namespace kylin::jinja {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

// Longer ones first.
constexpr std::string_view operators[] = {"==", "!=", "<=", ">=", "//", "**", "+", "-", "*", "/", "%", "~", "<",
                                          ">",  "=",  "(",  ")",  "[",  "]",  "{", "}", ".", ":", "|", ","};

class Lexer {
public:
    explicit Lexer(std::string_view source) : source_(source) {}

    std::vector<Token> run() {
        while (at_ < source_.size()) read_data_and_tag();
        emit(Token::end, {});
        return std::move(tokens_);
    }

private:
    std::string_view rest() const { return source_.substr(at_); }
    [[noreturn]] void fail(const std::string& what) const { throw InputError("chat template line " + std::to_string(line_), what); }
    void emit(Token::Kind kind, std::string text) { tokens_.push_back({kind, std::move(text), line_}); }
    void advance(size_t n) {
        line_ += static_cast<size_t>(
            std::count(source_.begin() + static_cast<std::ptrdiff_t>(at_), source_.begin() + static_cast<std::ptrdiff_t>(at_ + n), '\n'));
        at_ += n;
    }
    void skip_space() { advance(leading_space(rest())); }
    bool take(std::string_view text) {
        if (!rest().starts_with(text)) return false;
        advance(text.size());
        return true;
    }

    void read_data_and_tag();
    void emit_data(std::string_view data, char sign, bool is_variable);
    void read_comment();
    bool read_raw();
    void read_tag(bool is_variable);
    bool take_end(std::string_view end, bool trims_line);
    void read_expression_token();
    void read_string();
    void read_number();
    void read_operator();
    std::string unescape(std::string_view text) const;

    std::string_view source_;
    size_t at_ = 0, line_ = 1;
    int brackets_ = 0;
    std::vector<Token> tokens_;
};

void Lexer::read_data_and_tag() {
    size_t tag = at_;
    for (;; ++tag) {
        tag = source_.find('{', tag);
        if (tag == std::string_view::npos || tag + 1 >= source_.size()) {
            emit(Token::data, std::string(rest()));
            advance(source_.size() - at_);
            return;
        }
        if (source_[tag + 1] == '%' || source_[tag + 1] == '{' || source_[tag + 1] == '#') break;
    }
    const char kind = source_[tag + 1];
    const char sign = tag + 2 < source_.size() ? source_[tag + 2] : '\0';
    emit_data(source_.substr(at_, tag - at_), sign, kind == '{');
    advance(tag - at_ + 2);
    if (sign == '-' || sign == '+') advance(1);
    if (kind == '#') return read_comment();
    if (kind == '%' && read_raw()) return;
    read_tag(kind == '{');
}

// The text before a tag: "-" strips it, and before blocks and comments the spaces from the start of the line go, but for "+".
void Lexer::emit_data(std::string_view data, char sign, bool is_variable) {
    if (sign == '-') {
        data = data.substr(0, data.size() - trailing_space(data));
    } else if (sign != '+' && !is_variable) {
        const size_t line_end = data.rfind('\n');
        const bool has_line_start = line_end != std::string_view::npos;
        const bool follows_line_start = at_ == 0 || source_[at_ - 1] == '\n';
        const size_t line_start = has_line_start ? line_end + 1 : 0;
        const std::string_view last_line = data.substr(line_start);
        if ((has_line_start || follows_line_start) && leading_space(last_line) == last_line.size()) data = data.substr(0, line_start);
    }
    if (!data.empty()) emit(Token::data, std::string(data));
}

// The end of a tag, with the white space it swallows: all after "-", one line end after blocks and comments unless "+".
bool Lexer::take_end(std::string_view end, bool trims_line) {
    const char sign = at_ < source_.size() ? source_[at_] : '\0';
    const bool has_sign = sign == '-' || (sign == '+' && trims_line);
    if (!rest().substr(has_sign ? 1 : 0).starts_with(end)) return false;
    advance(end.size() + (has_sign ? 1 : 0));
    if (sign == '-')
        skip_space();
    else if (trims_line && sign != '+')
        take("\n");
    return true;
}

void Lexer::read_comment() {
    while (at_ < source_.size()) {
        if (take_end("#}", true)) return;
        advance(1);
    }
    fail("a comment is not closed");
}

// {% raw %} up to {% endraw %} is data.
bool Lexer::read_raw() {
    const size_t start = at_, start_line = line_;
    skip_space();
    const bool is_raw = take("raw");
    if (is_raw) skip_space();
    if (!is_raw || !(take_end("%}", false))) {
        at_ = start;
        line_ = start_line;
        return false;
    }
    for (size_t tag = source_.find("{%", at_); tag != std::string_view::npos; tag = source_.find("{%", tag + 1)) {
        const size_t data_begin = at_;
        const char sign = tag + 2 < source_.size() ? source_[tag + 2] : '\0';
        const size_t data_line = line_;
        at_ = tag + 2 + (sign == '-' || sign == '+' ? 1 : 0);
        skip_space();
        const bool closes = take("endraw");
        const size_t after_name = at_;
        at_ = data_begin;
        line_ = data_line;
        if (!closes) continue;
        emit_data(source_.substr(data_begin, tag - data_begin), sign, false);
        advance(after_name - data_begin);
        skip_space();
        if (!take_end("%}", true)) fail("endraw is not closed");
        return true;
    }
    fail("raw is not closed");
}

void Lexer::read_tag(bool is_variable) {
    emit(is_variable ? Token::variable_begin : Token::block_begin, {});
    brackets_ = 0;
    for (;;) {
        skip_space();
        if (at_ == source_.size()) fail("a tag is not closed");
        // Inside brackets "}}" closes two dicts.
        if (brackets_ == 0 && take_end(is_variable ? "}}" : "%}", !is_variable)) break;
        read_expression_token();
    }
    emit(is_variable ? Token::variable_end : Token::block_end, {});
}

void Lexer::read_expression_token() {
    const char c = source_[at_];
    if (is_name_start(c)) {
        size_t n = 1;
        while (n < rest().size() && (is_name_start(rest()[n]) || is_digit(rest()[n]))) ++n;
        emit(Token::name, std::string(rest().substr(0, n)));
        return advance(n);
    }
    if (is_digit(c)) return read_number();
    if (c == '\'' || c == '"') return read_string();
    read_operator();
}

void Lexer::read_operator() {
    const auto found = std::find_if(std::begin(operators), std::end(operators), [&](std::string_view o) { return rest().starts_with(o); });
    if (found == std::end(operators)) fail("unexpected character '" + std::string(rest().substr(0, first_unit(rest()).bytes)) + "'");
    if (*found == "(" || *found == "[" || *found == "{") ++brackets_;
    if (*found == ")" || *found == "]" || *found == "}") {
        if (brackets_ == 0) fail("'" + std::string(*found) + "' closes nothing");
        --brackets_;
    }
    emit(Token::op, std::string(*found));
    advance(found->size());
}

void Lexer::read_number() {
    std::string text;
    bool is_float = false;
    const auto digits = [&] {
        for (; at_ < source_.size() && (is_digit(source_[at_]) || source_[at_] == '_'); advance(1))
            if (source_[at_] != '_') text += source_[at_];
    };
    const auto digit_at = [&](size_t n) { return n < rest().size() && is_digit(rest()[n]); };
    digits();
    if (rest().starts_with('.') && digit_at(1)) {
        is_float = true;
        text += '.';
        advance(1);
        digits();
    }
    if (rest().starts_with('e') || rest().starts_with('E')) {
        const bool has_sign = rest().size() > 1 && (rest()[1] == '+' || rest()[1] == '-');
        if (digit_at(has_sign ? 2 : 1)) {
            is_float = true;
            text += rest().substr(0, has_sign ? 2 : 1);
            advance(has_sign ? 2 : 1);
            digits();
        }
    }
    emit(is_float ? Token::floating : Token::integer, text);
}

void Lexer::read_string() {
    const char quote = source_[at_];
    size_t n = 1;
    while (n < rest().size() && rest()[n] != quote) n += rest()[n] == '\\' ? size_t{2} : size_t{1};
    if (n >= rest().size()) fail("a string is not closed");
    emit(Token::string, unescape(rest().substr(1, n - 1)));
    advance(n + 1);
}

// Python's escapes; a backslash before anything else stays.
std::string Lexer::unescape(std::string_view text) const {
    constexpr std::string_view letters = "ntrabfv\\'\"\n", meanings = "\n\t\r\a\b\f\v\\'\"";
    std::string out;
    for (size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\' || i + 1 == text.size()) {
            out += text[i];
            continue;
        }
        const char letter = text[++i];
        if (letter == '\n') continue;
        const size_t hex_digits = letter == 'x' ? 2 : letter == 'u' ? 4 : letter == 'U' ? 8 : 0;
        if (hex_digits > 0) {
            const std::string digits(text.substr(i + 1, hex_digits));
            if (digits.size() != hex_digits || digits.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos)
                fail("a string has a broken escape");
            const unsigned long character = std::stoul(digits, nullptr, 16);
            if (character > 0x10FFFF || (character >= 0xD800 && character <= 0xDFFF)) fail("a string has an escape that is no character");
            append_utf8(out, static_cast<char32_t>(character));
            i += hex_digits;
        } else if (const size_t known = letters.find(letter); known != std::string_view::npos) {
            out += meanings[known];
        } else if (is_digit(letter) || letter == 'N') {
            fail("a string has an escape that is not supported");
        } else {
            (out += '\\') += letter;
        }
    }
    return out;
}

}  // namespace

std::vector<Token> tokenize(std::string_view source) {
    constexpr size_t max_source_bytes = size_t{1} << 20;
    if (source.size() > max_source_bytes) throw InputError("chat template", "is longer than 1 MiB");
    std::string text;
    const std::string valid = to_valid_utf8(source);
    for (size_t i = 0; i < valid.size(); ++i) {  // every kind of line end becomes "\n"
        if (valid[i] == '\r' && i + 1 < valid.size() && valid[i + 1] == '\n') continue;
        text += valid[i] == '\r' ? '\n' : valid[i];
    }
    if (text.ends_with('\n')) text.pop_back();  // as Jinja's keep_trailing_newline=False
    return Lexer(text).run();
}

}  // namespace kylin::jinja
