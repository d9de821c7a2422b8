// Regular sets of character strings, as automata over code points.
#pragma once
#include <span>
#include <string>
#include <string_view>

#include "grammar/automaton.h"

namespace kylin::grammar {

inline constexpr char32_t last_character = 0x10FFFF;

class Language {
public:
    // All strings that contain a match of the pattern: ECMA-262 as JSON Schema uses it, without what is not regular (look-around, back
    // references) and without \p and \b. `^` and `$` stand at the ends of the pattern or of its alternatives. Throws InputError at `where`.
    static Language matching(std::string_view pattern, Budget& budget, std::string_view where);
    static Language all();

    Language intersected(const Language& other, Budget& budget, std::string_view where) const;
    Language without(std::span<const std::u32string> words, Budget& budget, std::string_view where) const;
    Language with_length(uint32_t min, uint32_t max, Budget& budget, std::string_view where) const;

    bool empty() const;
    bool contains(std::u32string_view text) const;
    // Every state leads to an accepting one, but for the first state of the empty language.
    const Dfa& automaton() const { return dfa_; }

private:
    explicit Language(const Dfa& dfa);

    Dfa dfa_;
};

}  // namespace kylin::grammar
