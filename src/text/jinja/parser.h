// Template source to syntax tree.
#pragma once
#include <string_view>

#include "text/jinja/ast.h"

namespace kylin::jinja {

// Throws InputError with the line for what is no template, or not in the subset: inheritance, imports, call blocks, recursive loops,
// macros inside loops, and filters and tests that builtins.h does not have.
Body parse(std::string_view source);

}  // namespace kylin::jinja
