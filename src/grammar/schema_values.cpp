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

class Exclusion {
public:
    Exclusion(SchemaReader& reader, Budget& budget, const std::string& where) : reader_(reader), budget_(budget), where_(where) {}

    bool are_disjoint(const Schema& a, const Schema& b, int depth) {
        const unsigned types_a = types_of_values(a), types_b = types_of_values(b);
        const unsigned common = (types_a & types_b & b.effective_types()) | (types_b & types_a & a.effective_types());
        budget_.spend(1, where_);
        if (common == 0) return true;
        if (a.values && b.values && !share_a_value(*a.values, *b.values)) return true;
        if (common != type_object || depth == 0) return false;
        budget_.spend(a.size() + b.size(), where_);
        const MemberIndex members_a(a), members_b(b);
        std::set<std::string> required;
        for (const Schema::Name& name : b.required) required.insert(name.text);
        return std::any_of(a.required.begin(), a.required.end(), [&](const Schema::Name& name) {
            if (required.count(name.text) == 0) return false;
            const Places of_a = members_a.of(name.text), of_b = members_b.of(name.text);
            return !of_a.empty() && !of_b.empty() && are_disjoint(reader_.read(of_a), reader_.read(of_b), depth - 1);
        });
    }

private:
    bool share_a_value(const std::vector<const Json*>& a, const std::vector<const Json*>& b) {
        budget_.spend(a.size() + b.size(), where_);
        std::set<std::string> known;
        for (const Json* v : a) known.insert(value_key(*v));
        return std::any_of(b.begin(), b.end(), [&](const Json* v) { return known.count(value_key(*v)) > 0; });
    }

    SchemaReader& reader_;
    Budget& budget_;
    const std::string& where_;
};

}  // namespace

Language language_of(const Schema& schema, Budget& budget) {
    Language language = Language::all();
    for (const Schema::Pattern& p : schema.patterns)
        language = language.intersected(Language::matching(p.regex, budget, p.where), budget, p.where);
    if (schema.min_length == 0 && schema.max_length == unlimited) return language;
    return language.with_length(schema.min_length, schema.max_length, budget, schema.where);
}

MemberIndex::MemberIndex(const Schema& schema) : schema_(schema) {
    for (size_t part = 0; part < schema.objects.size(); ++part)
        for (const auto& [name, place] : schema.objects[part].properties) declared_[name].emplace_back(part, &place);
}

Places MemberIndex::of(const std::string& name) const {
    Places places;
    const auto found = declared_.find(name);
    size_t next = 0;
    for (size_t part = 0; part < schema_.objects.size(); ++part) {
        const bool is_declared = found != declared_.end() && next < found->second.size() && found->second[next].first == part;
        if (is_declared)
            places.push_back(*found->second[next++].second);
        else if (schema_.objects[part].additional)
            places.push_back(*schema_.objects[part].additional);
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
    Exclusion exclusion(reader, budget, where);
    for (size_t i = 0; i < options.size(); ++i)
        for (size_t j = 0; j < i; ++j)
            if (!exclusion.are_disjoint(options[i], options[j], depth))
                throw InputError(where, "more than one of the options may hold for a value (" + std::to_string(j) + " and " +
                                            std::to_string(i) + "); use anyOf, or give them different types or constants");
}

}  // namespace kylin::grammar
