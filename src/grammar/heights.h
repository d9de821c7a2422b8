// How deep rules must call each other to complete a text.
#pragma once
#include <span>
#include <string>

#include "grammar/program.h"

namespace kylin::grammar {

// Sets every height and takes out the edges that lead to no end. Throws InputError at one of `places`, by rule, when no text satisfies
// the root or only texts that nest too deep, or when a rule begins with itself.
void keep_what_ends(Program& program, Budget& budget, std::span<const std::string> places);

}  // namespace kylin::grammar
