// Runs a template.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "text/jinja/ast.h"
#include "text/jinja/run.h"

namespace kylin::jinja {

using Variables = std::vector<std::pair<std::string, Value>>;

// What the template writes, with the origin of each byte. Throws InputError with the line.
Text render(const Body& body, const Variables& variables, const Limits& limits);

}  // namespace kylin::jinja
