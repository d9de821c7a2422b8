#include "grammar/schema_values.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "grammar/numbers.h"
#include "text/unicode.h"

namespace kylin::grammar {
namespace {

unsigned type_of(const Json& value) {
    if (value.is_null()) return type_null;
    if (value.is_boolean()) return type_boolean;
    if (value.is_string()) return type_string;
    if (value.is_array()) return type_array;
    if (value.is_object()) return type_object;
    const double number = value.get<double>();
    return number == std::floor(number) ? type_integer : type_fraction;
}

bool says_more_about_structures(const Schema& s) {
    return !s.arrays.empty() || !s.objects.empty() || !s.required.empty() || !s.property_names.empty() || s.min_items > 0 ||
           s.max_items != unlimited || s.min_properties > 0 || s.max_properties != unlimited;
}

// Those of its types that its values have.
unsigned types_of_values(const Schema& schema) {
    if (!schema.values) return schema.types;
    unsigned types = 0;
    for (const Json* value : *schema.values) types |= type_of(*value);
    return schema.types & types;
}

bool requires_member(const Schema& schema, const std::string& name) {
    return std::any_of(schema.required.begin(), schema.required.end(), [&](const Schema::Name& r) { return r.text == name; });
}

bool share_a_value(const Schema& a, const Schema& b) {
    for (const Json* v : *a.values)
        for (const Json* w : *b.values)
            if (equal_values(*v, *w)) return true;
    return false;
}

bool are_disjoint(const Schema& a, const Schema& b, SchemaReader& reader, int depth) {
    const unsigned types_a = types_of_values(a), types_b = types_of_values(b);
    const unsigned common = (types_a & types_b & b.effective_types()) | (types_b & types_a & a.effective_types());
    if (common == 0) return true;
    if (a.values && b.values && !share_a_value(a, b)) return true;
    if (common != type_object || depth == 0) return false;
    return std::any_of(a.required.begin(), a.required.end(), [&](const Schema::Name& name) {
        if (!requires_member(b, name.text)) return false;
        const Places of_a = member_places(a, name.text), of_b = member_places(b, name.text);
        return !of_a.empty() && !of_b.empty() && are_disjoint(reader.read(of_a), reader.read(of_b), reader, depth - 1);
    });
}

}  // namespace

Language language_of(const Schema& schema, Budget& budget) {
    Language language = Language::all();
    for (const Schema::Pattern& p : schema.patterns)
        language = language.intersected(Language::matching(p.regex, budget, p.where), budget, p.where);
    if (schema.min_length == 0 && schema.max_length == unlimited) return language;
    return language.with_length(schema.min_length, schema.max_length, budget, schema.where);
}

Places member_places(const Schema& schema, const std::string& name) {
    Places places;
    for (const Schema::ObjectPart& part : schema.objects) {
        const auto found = std::find_if(part.properties.begin(), part.properties.end(), [&](const auto& p) { return p.first == name; });
        if (found != part.properties.end())
            places.push_back(found->second);
        else if (part.additional)
            places.push_back(*part.additional);
    }
    return places;
}

std::vector<const Json*> allowed_values(const Schema& schema, Budget& budget) {
    std::vector<const Json*> allowed;
    std::optional<Language> language;
    const bool limits_strings = !schema.patterns.empty() || schema.min_length > 0 || schema.max_length != unlimited;
    for (const Json* value : *schema.values) {
        const unsigned type = type_of(*value);
        if (!(type & schema.types)) continue;
        if ((type & (type_array | type_object)) && says_more_about_structures(schema))
            throw InputError(schema.where, "lists whole arrays or objects and says more about them, which is not supported");
        if ((type & type_number) && !is_within(*value, schema.bounds)) continue;
        if (type == type_string && limits_strings) {
            if (!language) language = language_of(schema, budget);
            if (!language->contains(to_utf32(value->get_ref<const std::string&>()))) continue;
        }
        allowed.push_back(value);
    }
    return allowed;
}

void check_exclusive(const std::vector<Schema>& options, const std::string& where, SchemaReader& reader, Budget& budget) {
    constexpr int depth = 1;  // members, but not members of members
    for (size_t i = 0; i < options.size(); ++i)
        for (size_t j = 0; j < i; ++j) {
            budget.spend(1, where);
            if (!are_disjoint(options[i], options[j], reader, depth))
                throw InputError(where, "more than one of the options may hold for a value (" + std::to_string(j) + " and " +
                                            std::to_string(i) + "); use anyOf, or give them different types or constants");
        }
}

}  // namespace kylin::grammar
