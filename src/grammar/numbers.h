// Numbers between bounds, as text.
#pragma once
#include <span>

#include "grammar/language.h"
#include "grammar/schema.h"

namespace kylin::grammar {

// Integers, or also numbers with a fraction; without an exponent, and never "-0". Exact: a text is in a language only if the number it
// stands for, read as a double, is within all bounds. For that fractions are cut to what doubles tell apart next to the bounds.
struct NumbersWithin {
    Language not_negative, negative;  // the latter without the sign
};
// At least one bound. Throws InputError at one that needs more digits.
NumbersWithin numbers_within(std::span<const Schema::Bound> bounds, bool with_fraction, Budget& budget);

// Whether a number satisfies them.
bool is_within(const Json& number, std::span<const Schema::Bound> bounds);

}  // namespace kylin::grammar
