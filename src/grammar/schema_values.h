// What can be said about the values of a schema without writing it as a grammar.
#pragma once
#include "grammar/schema.h"

namespace kylin::grammar {

// The strings that satisfy it.
Language language_of(const Schema& schema, Budget& budget);

// The schemas that hold for a member of an object.
Places member_places(const Schema& schema, const std::string& name);

// Those of `enum` and `const` that all other keywords allow. Throws InputError for arrays and objects beside keywords about such.
std::vector<const Json*> allowed_values(const Schema& schema, Budget& budget);

// For oneOf: no value that is written for one of the schemas satisfies another. Throws InputError when that cannot be shown: types must
// differ, or the values of enum and const, or those of a property that both require.
void check_exclusive(const std::vector<Schema>& options, const std::string& where, SchemaReader& reader, Budget& budget);

}  // namespace kylin::grammar
