// JSON Schema as a grammar of the texts that satisfy it. docs/structured-output.md says what is honoured and what is refused.
#pragma once
#include <string>

#include "grammar/grammar.h"
#include "grammar/json_text.h"

namespace kylin::grammar {

// Adds the schema's texts to a grammar. `name` is the field it came in: errors name it, and the JSON pointer behind it.
// Whatever the schema says that cannot be honoured exactly is refused with an InputError; annotations are ignored.
// `also`: another schema that holds for the value; both must outlive the call alone.
Expr add_json_schema(Grammar& grammar, JsonText& text, const Json& schema, const std::string& name, const Json* also = nullptr);

}  // namespace kylin::grammar
