// What can be said about the values of a schema without writing it as a grammar.
#pragma once
#include <string>
#include <unordered_map>
#include <vector>

#include "grammar/schema.h"

namespace kylin::grammar {

// The strings that satisfy it.
Language language_of(const Schema& schema, Budget& budget);

// The members of an object by name. The schema must outlive it.
class MemberIndex {
public:
    explicit MemberIndex(const Schema& schema);
    bool declares(const std::string& name) const { return declared_.count(name) > 0; }
    // The schemas that hold for it: of each part that of the property, or of all others.
    Places of(const std::string& name) const;

private:
    const Schema& schema_;
    std::unordered_map<std::string, std::vector<std::pair<size_t, const Place*>>> declared_;
};

// Those of `enum` and `const` that all other keywords allow. Throws InputError for arrays and objects beside keywords about such.
std::vector<const Json*> allowed_values(const Schema& schema, Budget& budget);

// For oneOf: no value that is written for one of the schemas satisfies another. Throws InputError when that cannot be shown: types must
// differ, or the values of enum and const, or those of a property that both require.
void check_exclusive(const std::vector<Schema>& options, const std::string& where, SchemaReader& reader, Budget& budget);

}  // namespace kylin::grammar
