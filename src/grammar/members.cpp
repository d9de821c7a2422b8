#include "grammar/members.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "grammar/schema_values.h"
#include "text/unicode.h"

namespace kylin::grammar {
namespace {

// What propertyNames says.
struct NameRule {
    std::optional<std::vector<std::string>> list;  // only these
    std::set<std::string> listed;                  // the same
    std::optional<Language> language;              // only such

    bool allows(const std::string& name) const {
        if (list) return listed.count(name) > 0;
        return !language || language->contains(to_utf32(name));
    }
};

NameRule name_rule(const Schema& schema, SchemaReader& reader, Budget& budget) {
    NameRule rule;
    if (schema.property_names.empty()) return rule;
    const Schema names = reader.read(schema.property_names);
    if (!names.choices.empty()) throw InputError(names.where, "anyOf and oneOf are not supported for names");
    if (names.values) {
        rule.list.emplace();
        for (const Json* value : allowed_values(names, budget))
            if (value->is_string() && rule.listed.insert(value->get<std::string>()).second) rule.list->push_back(value->get<std::string>());
    } else if (!(names.types & type_string)) {
        rule.list.emplace();
    } else {
        rule.language = language_of(names, budget);
    }
    return rule;
}

std::vector<std::string> declared_names(const Schema& schema) {
    std::vector<std::string> names;
    std::set<std::string> seen;
    for (const Schema::ObjectPart& part : schema.objects)
        for (const auto& [name, place] : part.properties)
            if (seen.insert(name).second) names.push_back(name);
    for (const Schema::Name& required : schema.required)
        if (seen.insert(required.text).second) names.push_back(required.text);
    return names;
}

// The schemas of members that no part declares; nullopt when there are none.
std::optional<Places> undeclared(const Schema& schema) {
    Places places;
    bool is_closed = false;
    for (const Schema::ObjectPart& part : schema.objects) {
        if (part.additional) places.push_back(*part.additional);
        is_closed |= part.has_properties;
    }
    if (places.empty() && is_closed) return std::nullopt;
    for (const Place& place : places)
        if (place.json->is_boolean() && !place.json->get<bool>()) return std::nullopt;
    return places;
}

void check_counts(const Schema& schema, const Members& members) {
    const auto n_required =
        static_cast<size_t>(std::count_if(members.declared.begin(), members.declared.end(), [](const Member& m) { return m.is_required; }));
    // Names may come twice, so two members need not be two properties.
    const size_t sure = members.declared.empty() && members.more ? 1 : n_required;
    if (schema.min_properties > sure)
        throw InputError(schema.where, "minProperties is supported up to the number of required properties, or 1 where none is declared");
    const bool may_exceed = members.declared.empty() ? false : members.more || members.declared.size() > schema.max_properties;
    if (schema.max_properties != unlimited && may_exceed)
        throw InputError(schema.where, "maxProperties is not supported beside declared properties");
}

}  // namespace

Members members_of(const Schema& schema, SchemaReader& reader, Budget& budget) {
    const NameRule rule = name_rule(schema, reader, budget);
    const std::vector<std::string> names = declared_names(schema);
    std::set<std::string> required;
    for (const Schema::Name& r : schema.required) required.insert(r.text);

    const MemberIndex schemas(schema);
    Members members;
    static const Json never = false;
    for (const std::string& name : names) {
        budget.spend(1 + schema.objects.size(), schema.where);
        Places places = schemas.of(name);
        if (!rule.allows(name)) places.push_back({&never, schema.where});
        members.declared.push_back({name, std::move(places), required.count(name) > 0});
    }
    if (std::optional<Places> places = undeclared(schema); places && schema.max_properties > 0) {
        if (rule.list) {
            for (const std::string& name : *rule.list)
                if (!schemas.declares(name) && required.count(name) == 0) members.declared.push_back({name, *places, false});
        } else {
            members.more = Members::More{rule.language, std::move(*places), schema.min_properties, schema.max_properties};
            if (!names.empty()) {
                std::vector<std::u32string> taken;
                for (const std::string& name : names) taken.push_back(to_utf32(name));
                members.more->names = rule.language.value_or(Language::all()).without(taken, budget, schema.where);
                members.more->min = 0;
                members.more->max = unlimited;
            }
        }
    }
    check_counts(schema, members);
    return members;
}

}  // namespace kylin::grammar
