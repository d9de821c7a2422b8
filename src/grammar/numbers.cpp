// A bound is a decimal; the texts on one side of it are a regular expression. Negative numbers are mirrored.
#include "grammar/numbers.h"

#include <algorithm>
#include <fmt/format.h>

#include "base/error.h"

namespace kylin::grammar {
namespace {

constexpr int max_integer_digits = 15;  // with which every integer is a double of its own
constexpr int max_fraction_digits = 12;
constexpr auto nothing = "[]";  // as a regular expression

// sign, integer and fraction; no zeros in front of the one nor at the end of the other.
struct Decimal {
    bool is_negative = false;
    std::string integer = "0", fraction = {};

    bool is_zero() const { return integer == "0" && fraction.empty(); }
};

Decimal decimal_of(const Json& number) {
    std::string text = number.is_number_float() ? fmt::format("{}", number.get<double>()) : number.dump();
    Decimal d;
    if (text[0] == '-') {
        d.is_negative = true;
        text.erase(0, 1);
    }
    int exponent = 0;
    if (const size_t e = text.find('e'); e != text.npos) {
        exponent = std::stoi(text.substr(e + 1));
        text.resize(e);
    }
    size_t point = std::min(text.find('.'), text.size());
    std::string digits = text.substr(0, point) + (point < text.size() ? text.substr(point + 1) : "");
    int n_integer = static_cast<int>(point) + exponent;
    if (n_integer < 0) {
        digits.insert(0, static_cast<size_t>(-n_integer), '0');
        n_integer = 0;
    }
    if (static_cast<size_t>(n_integer) > digits.size()) digits.resize(static_cast<size_t>(n_integer), '0');
    d.integer = digits.substr(0, static_cast<size_t>(n_integer));
    d.fraction = digits.substr(static_cast<size_t>(n_integer));
    d.integer.erase(0, std::min(d.integer.find_first_not_of('0'), d.integer.size()));
    d.fraction.resize(d.fraction.find_last_not_of('0') + 1);
    if (d.integer.empty()) d.integer = "0";
    if (d.is_zero()) d.is_negative = false;
    return d;
}

// Texts of numbers that are not negative, with a fraction of at most `n_fraction` digits.
class Magnitudes {
public:
    explicit Magnitudes(int n_fraction) : n_fraction_(n_fraction) {}

    std::string all() const { return "^" + at_least_integer("0") + any_fraction() + "$"; }

    std::string above(const Decimal& d, bool is_strict) const {
        std::string regex = "^(?:" + d.integer + fraction_above(d.fraction, is_strict);
        if (const std::string next = successor(d.integer); next.size() <= max_integer_digits)
            regex += "|" + at_least_integer(next) + any_fraction();
        return regex + ")$";
    }

    std::string below(const Decimal& d, bool is_strict) const {
        std::string regex = "^(?:" + (is_strict && d.fraction.empty() ? nothing : d.integer + fraction_below(d.fraction, is_strict));
        if (d.integer != "0") regex += "|" + less_than_integer(d.integer) + any_fraction();
        return regex + ")$";
    }

private:
    static std::string digits(int min, int max) { return fmt::format("[0-9]{{{},{}}}", min, max); }
    static std::string between(char low, char high) { return low > high ? nothing : fmt::format("[{}-{}]", low, high); }

    std::string any_fraction() const { return n_fraction_ == 0 ? "" : "(?:\\." + digits(1, n_fraction_) + ")?"; }
    int rest(size_t n) const { return std::max(0, n_fraction_ - static_cast<int>(n)); }

    // The integers that have so many digits and begin like `d` up to a digit that is greater, or less.
    static std::string differing(const std::string& d, bool greater) {
        std::string regex = "(?:[]";
        for (size_t i = 0; i < d.size(); ++i) {
            const char least = i == 0 && d.size() > 1 ? '1' : '0';
            const std::string digit = greater ? between(static_cast<char>(d[i] + 1), '9') : between(least, static_cast<char>(d[i] - 1));
            const int more = static_cast<int>(d.size() - i) - 1;
            regex += "|" + d.substr(0, i) + digit + digits(more, more);
        }
        return regex + ")";
    }
    static std::string at_least_integer(const std::string& d) {
        std::string regex = "(?:" + d + "|" + differing(d, true);
        const int n = static_cast<int>(d.size());
        if (n < max_integer_digits) regex += "|[1-9]" + digits(n, max_integer_digits - 1);
        return regex + ")";
    }
    static std::string less_than_integer(const std::string& d) {
        std::string regex = "(?:" + differing(d, false);
        const int n = static_cast<int>(d.size());
        if (n > 1) regex += "|0|[1-9]" + digits(0, n - 2);
        return regex + ")";
    }
    static std::string successor(std::string d) {
        for (size_t i = d.size(); i-- > 0; d[i] = '0')
            if (d[i] != '9') return ++d[i], d;
        return "1" + d;
    }

    std::string fraction_above(const std::string& f, bool is_strict) const {
        if (f.empty() && !is_strict) return any_fraction();
        if (n_fraction_ == 0) return nothing;
        std::string regex = "\\.(?:[]";
        for (size_t i = 0; i < f.size(); ++i)
            regex += "|" + f.substr(0, i) + between(static_cast<char>(f[i] + 1), '9') + digits(0, rest(i + 1));
        if (!is_strict) return regex + "|" + f + digits(0, rest(f.size())) + ")";
        // Behind the same digits one that is not zero.
        for (int zeros = 0; zeros < rest(f.size()); ++zeros)
            regex += "|" + f + std::string(static_cast<size_t>(zeros), '0') + "[1-9]" + digits(0, rest(f.size()) - zeros - 1);
        return regex + ")";
    }

    // Including none at all.
    std::string fraction_below(const std::string& f, bool is_strict) const {
        if (n_fraction_ == 0) return "";
        if (f.empty()) return fmt::format("(?:\\.0{{1,{}}})?", n_fraction_);
        std::string regex = "(?:\\.(?:[]";
        for (size_t i = 0; i < f.size(); ++i) {
            if (i > 0) regex += "|" + f.substr(0, i);
            regex += "|" + f.substr(0, i) + between('0', static_cast<char>(f[i] - 1)) + digits(0, rest(i + 1));
        }
        if (!is_strict) regex += fmt::format("|{}0{{0,{}}}", f, rest(f.size()));
        return regex + "))?";
    }

    int n_fraction_;
};

// One side of zero: the magnitudes that satisfy all bounds.
Language side(std::span<const Schema::Bound> bounds, bool negative, int n_fraction, Budget& budget) {
    const Magnitudes magnitudes(n_fraction);
    const std::string& where = bounds.front().where;
    Language result = Language::matching(negative ? magnitudes.above({}, true) : magnitudes.all(), budget, where);
    for (const Schema::Bound& b : bounds) {
        const Decimal d = decimal_of(*b.value);
        const bool from_above = b.is_lower == negative;  // it limits the magnitude
        std::string regex;
        if (d.is_negative != negative) {
            if (!from_above) continue;
            regex = nothing;  // the bound lies on the other side of zero
        } else if (d.integer.size() > max_integer_digits) {
            if (from_above) continue;
            regex = nothing;
        } else {
            regex = from_above ? magnitudes.below(d, b.is_strict) : magnitudes.above(d, b.is_strict);
        }
        result = result.intersected(Language::matching(regex, budget, b.where), budget, b.where);
    }
    return result;
}

// Two decimals that differ in these places differ as doubles, if one of them is a bound.
int fraction_digits(std::span<const Schema::Bound> bounds) {
    int n = max_fraction_digits;
    for (const Schema::Bound& b : bounds) n = std::min(n, max_integer_digits - static_cast<int>(decimal_of(*b.value).integer.size()));
    for (const Schema::Bound& b : bounds)
        if (static_cast<int>(decimal_of(*b.value).fraction.size()) > n)
            throw InputError(b.where, "has more digits than numbers can be told apart by");
    return std::max(n, 0);
}

}  // namespace

NumbersWithin numbers_within(std::span<const Schema::Bound> bounds, bool with_fraction, Budget& budget) {
    const int n_fraction = with_fraction ? fraction_digits(bounds) : 0;
    return {side(bounds, false, n_fraction, budget), side(bounds, true, n_fraction, budget)};
}

bool is_within(const Json& number, std::span<const Schema::Bound> bounds) {
    return std::all_of(bounds.begin(), bounds.end(), [&](const Schema::Bound& b) {
        const bool is_inside = b.is_lower ? *b.value < number : number < *b.value;
        return is_inside || (!b.is_strict && number == *b.value);
    });
}

}  // namespace kylin::grammar
