// The regular expressions of JSON Schema's `pattern`.
#pragma once
#include <string_view>

#include "grammar/grammar.h"

namespace kylin::grammar {

// The strings that contain a match, as an expression whose automaton reads characters; see Language::matching.
Expr parse_regex(std::string_view pattern, Grammar& grammar, std::string_view where);

}  // namespace kylin::grammar
