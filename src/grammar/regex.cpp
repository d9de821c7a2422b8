//   pattern     = alternative ("|" alternative)*           in a group too
//   alternative = "^"? term* "$"?                          anchors at the top alone
//   term        = atom ("*" | "+" | "?" | "{" n ("," m?)? "}")? "?"?
//   atom        = character | "." | "\" escape | "[" "^"? … "]" | "(" ("?:" | "?<name>")? pattern ")"
#include "grammar/regex.h"

#include <algorithm>
#include <fmt/format.h>
#include <optional>

#include "base/error.h"
#include "text/unicode.h"

namespace kylin::grammar {
namespace {

constexpr char32_t first_surrogate = 0xD800, last_surrogate = 0xDFFF, last_code_point = 0x10FFFF;
constexpr int max_groups = 64;  // inside each other
constexpr uint64_t max_repeats = 1'000'000'000;

using Ranges = std::vector<CharRange>;

const Ranges digits = {{'0', '9'}};
const Ranges word = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
const Ranges spaces = {{'\t', '\r'},     {' ', ' '},       {0xA0, 0xA0},     {0x1680, 0x1680}, {0x2000, 0x200A},
                       {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}, {0xFEFF, 0xFEFF}};
const Ranges line_ends = {{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}};

Ranges complement(Ranges ranges) {
    std::sort(ranges.begin(), ranges.end(), [](const CharRange& a, const CharRange& b) { return a.low < b.low; });
    ranges.push_back({last_code_point + 1, last_code_point + 1});
    Ranges result;
    char32_t next = 0;
    for (const CharRange& r : ranges) {
        if (next < r.low) result.push_back({next, r.low - 1});
        next = std::max<char32_t>(next, r.high + 1);
    }
    return result;
}

class Parser {
public:
    Parser(std::u32string pattern, Grammar& grammar, std::string_view where)
        : pattern_(std::move(pattern)), grammar_(grammar), where_(where) {}

    Expr run() {
        const Expr anything = grammar_.repeat(grammar_.characters({{0, last_code_point}}), 0, unlimited);
        std::vector<Expr> alternatives;
        do {
            const bool from_start = take('^');
            std::vector<Expr> parts = terms();
            const bool to_end = take('$');
            if (!from_start) parts.insert(parts.begin(), anything);
            if (!to_end) parts.push_back(anything);
            alternatives.push_back(grammar_.sequence(std::move(parts)));
        } while (take('|'));
        if (!at_end()) fail(peek() == ')' ? "closes a group that is not open" : "uses an anchor within");
        return grammar_.choice(std::move(alternatives));
    }

private:
    [[noreturn]] void fail(const std::string& what) const { throw InputError(std::string(where_), "the pattern " + what); }
    bool at_end() const { return at_ == pattern_.size(); }
    char32_t peek() const { return at_end() ? 0 : pattern_[at_]; }
    char32_t next() {
        if (at_end()) fail("ends too early");
        return pattern_[at_++];
    }
    bool take(char32_t c) {
        if (at_end() || pattern_[at_] != c) return false;
        ++at_;
        return true;
    }
    bool take(std::u32string_view text) {
        if (std::u32string_view(pattern_).substr(at_, text.size()) != text) return false;
        at_ += text.size();
        return true;
    }

    std::vector<Expr> terms() {
        std::vector<Expr> parts;
        constexpr std::u32string_view ends = U"|)^$";
        while (!at_end() && ends.find(peek()) == ends.npos) parts.push_back(term());
        return parts;
    }

    Expr term() {
        const Expr body = atom();
        uint32_t min = 1, max = 1;
        if (take('*')) {
            min = 0, max = unlimited;
        } else if (take('+')) {
            max = unlimited;
        } else if (take('?')) {
            min = 0;
        } else if (take('{')) {
            min = max = number();
            if (take(',')) max = peek() == '}' ? unlimited : number();
            if (!take('}')) fail("has a brace that is no repetition");
            if (min > max) fail("repeats at least more often than at most");
        } else {
            return body;
        }
        take('?');  // lazy: the same strings match
        constexpr std::u32string_view more = U"*+?{";
        if (!at_end() && more.find(peek()) != more.npos) fail("repeats a repetition");
        return grammar_.repeat(body, min, max);
    }

    uint32_t number() {
        uint64_t value = 0;
        const size_t begin = at_;
        while (peek() >= '0' && peek() <= '9') {
            value = value * 10 + (next() - '0');
            if (value > max_repeats) fail("repeats too often");
        }
        if (at_ == begin) fail("has a brace that is no repetition");
        return static_cast<uint32_t>(value);
    }

    Expr atom() {
        const char32_t c = next();
        if (c == '(') return group();
        if (c == '[') return grammar_.characters(char_class());
        if (c == '.') return grammar_.characters(complement(line_ends));
        if (c == '\\') return grammar_.characters(escape(false));
        constexpr std::u32string_view syntax = U"*+?{}]";
        if (syntax.find(c) != syntax.npos) fail(fmt::format("has a \"{}\" out of place", static_cast<char>(c)));
        return grammar_.characters({{c, c}});
    }

    Expr group() {
        if (++n_open_ > max_groups) fail("has too many groups inside each other");
        if (take(U"?=") || take(U"?!") || take(U"?<=") || take(U"?<!")) fail("looks around, which is not supported");
        if (take(U"?<")) {
            while (next() != '>') {
            }
        } else if (!take(U"?:") && peek() == '?') {
            fail("has a group of an unknown kind");
        }
        std::vector<Expr> alternatives;
        do alternatives.push_back(grammar_.sequence(terms()));
        while (take('|'));
        if (peek() == '^' || peek() == '$') fail("uses an anchor within a group, which is not supported");
        if (!take(')')) fail("has a group that is not closed");
        --n_open_;
        return grammar_.choice(std::move(alternatives));
    }

    Ranges char_class() {
        const bool negated = take('^');
        Ranges ranges;
        while (!take(']')) {
            const Ranges low = class_atom();
            const bool is_range = peek() == '-' && at_ + 1 < pattern_.size() && pattern_[at_ + 1] != ']';
            if (!is_range) {
                ranges.insert(ranges.end(), low.begin(), low.end());
                continue;
            }
            take('-');
            const Ranges high = class_atom();
            if (!is_one(low) || !is_one(high)) fail("has a range between classes");
            if (low[0].low > high[0].low) fail("has a range that runs backwards");
            ranges.push_back({low[0].low, high[0].low});
        }
        return negated ? complement(std::move(ranges)) : ranges;
    }

    static bool is_one(const Ranges& ranges) { return ranges.size() == 1 && ranges[0].low == ranges[0].high; }

    Ranges class_atom() {
        const char32_t c = next();
        if (c == '\\') return escape(true);
        return {{c, c}};
    }

    Ranges escape(bool in_class) {
        const char32_t c = next();
        const auto one = [](char32_t x) { return Ranges{{x, x}}; };
        switch (c) {
            case 'd':
                return digits;
            case 'D':
                return complement(digits);
            case 'w':
                return word;
            case 'W':
                return complement(word);
            case 's':
                return spaces;
            case 'S':
                return complement(spaces);
            case 't':
                return one('\t');
            case 'n':
                return one('\n');
            case 'v':
                return one('\v');
            case 'f':
                return one('\f');
            case 'r':
                return one('\r');
            case 'x':
                return one(hex(2));
            case 'u':
                return one(unicode());
            case '0':
                if (peek() < '0' || peek() > '9') return one(0);
                fail("has an octal escape");
            case 'b':
                if (in_class) return one('\b');
                break;
            case '-':
                if (in_class) return one('-');
                break;
            default:
                break;
        }
        constexpr std::u32string_view itself = U"^$\\.*+?()[]{}|/";
        if (itself.find(c) == itself.npos) fail(fmt::format("has the escape \\{}, which is not supported", to_utf8(std::u32string(1, c))));
        return one(c);
    }

    char32_t hex(int n) {
        char32_t value = 0;
        for (int i = 0; i < n; ++i) value = value * 16 + hex_digit();
        return value;
    }

    char32_t hex_digit() {
        const char32_t c = next();
        if (c >= '0' && c <= '9') return c - '0';
        if (c >= 'a' && c <= 'f') return c - 'a' + 10;
        if (c >= 'A' && c <= 'F') return c - 'A' + 10;
        fail("has an escape with a digit that is not hexadecimal");
    }

    char32_t unicode() {
        char32_t c = 0;
        if (take('{')) {
            while (!take('}'))
                if ((c = c * 16 + hex_digit()) > last_code_point) fail("has an escape beyond Unicode");
        } else {
            c = hex(4);
        }
        if (c >= first_surrogate && c <= last_surrogate) fail("has the escape of a surrogate, which is no character");
        return c;
    }

    std::u32string pattern_;
    Grammar& grammar_;
    std::string_view where_;
    size_t at_ = 0;
    int n_open_ = 0;
};

}  // namespace

Expr parse_regex(std::string_view pattern, Grammar& grammar, std::string_view where) {
    return Parser(to_utf32(pattern), grammar, where).run();
}

}  // namespace kylin::grammar
