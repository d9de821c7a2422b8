// One table of all keywords: what each is, and which are refused.
#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <limits>
#include <map>

#include "base/error.h"
#include "base/utf8.h"
#include "grammar/formats.h"
#include "grammar/schema.h"

namespace kylin::grammar {
namespace {

constexpr double max_count = 1e9;  // a larger maximum is none

using Read = void (*)(Schema& schema, const Place& keyword, const Json& siblings);

[[noreturn]] void fail(const Place& place, const std::string& what) { throw InputError(place.where, what); }

// A member, and its pointer. The value is given because looking it up takes time in the number of members.
Place child(const Place& place, std::string_view key, const Json& value) {
    std::string escaped;
    for (const char c : key) {
        if (c == '~')
            escaped += "~0";
        else if (c == '/')
            escaped += "~1";
        else
            escaped += c;
    }
    return {&value, place.where + "/" + escaped};
}

Place child(const Place& place, size_t index) { return {&(*place.json)[index], place.where + "/" + std::to_string(index)}; }

Places children(const Place& array, size_t min) {
    if (!array.json->is_array() || array.json->size() < min)
        fail(array, min > 0 ? "must be an array that is not empty" : "must be an array");
    Places all;
    for (size_t i = 0; i < array.json->size(); ++i) all.push_back(child(array, i));
    return all;
}

const std::string& as_string(const Place& place) {
    if (!place.json->is_string()) fail(place, "must be a string");
    return place.json->get_ref<const std::string&>();
}

uint32_t as_count(const Place& place, uint32_t if_huge) {
    const double value = place.json->is_number() ? place.json->get<double>() : -1;
    if (!(value >= 0) || value != std::floor(value)) fail(place, "must be an integer that is not negative");
    return value > max_count ? if_huge : static_cast<uint32_t>(value);
}

uint32_t as_minimum(const Place& place) {
    const uint32_t n = as_count(place, unlimited);
    if (n == unlimited) fail(place, "is larger than any answer");
    return n;
}

bool as_bool(const Place& place) {
    if (!place.json->is_boolean()) fail(place, "must be true or false");
    return place.json->get<bool>();
}

unsigned type_named(const Place& place) {
    constexpr auto types = std::to_array<std::pair<std::string_view, unsigned>>({{"null", type_null},
                                                                                 {"boolean", type_boolean},
                                                                                 {"integer", type_integer},
                                                                                 {"number", type_number},
                                                                                 {"string", type_string},
                                                                                 {"array", type_array},
                                                                                 {"object", type_object}});
    const std::string& name = as_string(place);
    for (const auto& [known, type] : types)
        if (known == name) return type;
    fail(place, "\"" + name + "\" is no type");
}

void read_type(Schema& schema, const Place& keyword, const Json& siblings) {
    unsigned types = 0;
    if (keyword.json->is_array())
        for (const Place& one : children(keyword, 1)) types |= type_named(one);
    else
        types = type_named(keyword);
    if (const auto nullable = siblings.find("nullable"); nullable != siblings.end() && *nullable == true) types |= type_null;
    schema.types &= types;
    schema.has_type = true;
}

void read_nullable(Schema&, const Place& keyword, const Json&) { as_bool(keyword); }

void restrict(Schema& schema, std::vector<const Json*> values) {
    if (schema.values) {
        std::set<std::string> known;
        for (const Json* v : *schema.values) known.insert(value_key(*v));
        std::erase_if(values, [&](const Json* v) { return known.count(value_key(*v)) == 0; });
    }
    schema.values = std::move(values);
}

void read_const(Schema& schema, const Place& keyword, const Json&) { restrict(schema, {keyword.json}); }

void read_enum(Schema& schema, const Place& keyword, const Json&) {
    std::vector<const Json*> values;
    for (const Place& value : children(keyword, 1)) values.push_back(value.json);
    restrict(schema, std::move(values));
}

void read_min_length(Schema& s, const Place& k, const Json&) { s.min_length = std::max(s.min_length, as_minimum(k)); }
void read_max_length(Schema& s, const Place& k, const Json&) { s.max_length = std::min(s.max_length, as_count(k, unlimited)); }
void read_pattern(Schema& s, const Place& k, const Json&) { s.patterns.push_back({as_string(k), k.where}); }

void read_format(Schema& schema, const Place& keyword, const Json&) {
    static const Json lowest = std::numeric_limits<int32_t>::min(), highest = std::numeric_limits<int32_t>::max();
    const std::string& name = as_string(keyword);
    if (name == "int32") {
        schema.bounds.push_back({true, false, &lowest, keyword.where});
        schema.bounds.push_back({false, false, &highest, keyword.where});
        return;
    }
    if (name == "int64" || name == "double") return;  // every number that is written fits
    std::optional<std::string> regex = format_regex(name);
    if (!regex) fail(keyword, "the format \"" + name + "\" is not supported; supported: " + format_names());
    schema.patterns.push_back({std::move(*regex), keyword.where});
}

template <bool is_lower, bool is_strict>
void read_bound(Schema& schema, const Place& keyword, const Json&) {
    if (!keyword.json->is_number()) fail(keyword, "must be a number");
    schema.bounds.push_back({is_lower, is_strict, keyword.json, keyword.where});
}

// The keyword `name` of the same schema.
std::optional<Place> sibling(const Place& keyword, const Json& siblings, const char* name) {
    const auto found = siblings.find(name);
    if (found == siblings.end()) return std::nullopt;
    return Place{&*found, keyword.where.substr(0, keyword.where.rfind('/') + 1) + name};
}

// One part for all keywords of a schema that say where an item stands. Old drafts: `items` as an array is `prefixItems`.
void read_items(Schema& schema, const Place& keyword, const Json& siblings) {
    const bool is_old = keyword.json->is_array();
    const bool has_prefix = siblings.contains("prefixItems");
    if (is_old && has_prefix) fail(keyword, "must be a schema");
    if (is_old)
        schema.arrays.push_back({children(keyword, 0), sibling(keyword, siblings, "additionalItems")});
    else if (!has_prefix)
        schema.arrays.push_back({{}, keyword});
}

void read_prefix_items(Schema& schema, const Place& keyword, const Json& siblings) {
    schema.arrays.push_back({children(keyword, 1), sibling(keyword, siblings, "items")});
}

void read_min_items(Schema& s, const Place& k, const Json&) { s.min_items = std::max(s.min_items, as_minimum(k)); }
void read_max_items(Schema& s, const Place& k, const Json&) { s.max_items = std::min(s.max_items, as_count(k, unlimited)); }

void read_properties(Schema& schema, const Place& keyword, const Json& siblings) {
    if (!keyword.json->is_object()) fail(keyword, "must be an object");
    Schema::ObjectPart part{true, {}, sibling(keyword, siblings, "additionalProperties")};
    for (const auto& item : keyword.json->items()) part.properties.emplace_back(item.key(), child(keyword, item.key(), item.value()));
    schema.objects.push_back(std::move(part));
}

void read_additional(Schema& schema, const Place& keyword, const Json& siblings) {
    if (!siblings.contains("properties")) schema.objects.push_back({false, {}, keyword});
}

void read_required(Schema& schema, const Place& keyword, const Json&) {
    for (const Place& name : children(keyword, 0)) schema.required.push_back({as_string(name), name.where});
}

void read_property_names(Schema& s, const Place& k, const Json&) { s.property_names.push_back(k); }
void read_min_properties(Schema& s, const Place& k, const Json&) { s.min_properties = std::max(s.min_properties, as_minimum(k)); }
void read_max_properties(Schema& s, const Place& k, const Json&) { s.max_properties = std::min(s.max_properties, as_count(k, unlimited)); }

enum class Role : uint8_t {
    annotation,
    restriction,  // `read` says how
    group,        // other schemas that hold too: $ref, allOf, anyOf, oneOf
    refused,      // unless it has its harmless value
};

struct Keyword {
    std::string_view name;
    Role role;
    Read read = nullptr;
    unsigned type = 0;  // that it speaks of
    std::string_view harmless = {};
};

constexpr auto keywords = std::to_array<Keyword>({
    {"type", Role::restriction, read_type},
    {"nullable", Role::restriction, read_nullable},
    {"enum", Role::restriction, read_enum},
    {"const", Role::restriction, read_const},
    {"minLength", Role::restriction, read_min_length, type_string},
    {"maxLength", Role::restriction, read_max_length, type_string},
    {"pattern", Role::restriction, read_pattern, type_string},
    {"format", Role::restriction, read_format, type_string},
    {"minimum", Role::restriction, read_bound<true, false>, type_number},
    {"exclusiveMinimum", Role::restriction, read_bound<true, true>, type_number},
    {"maximum", Role::restriction, read_bound<false, false>, type_number},
    {"exclusiveMaximum", Role::restriction, read_bound<false, true>, type_number},
    {"items", Role::restriction, read_items, type_array},
    {"prefixItems", Role::restriction, read_prefix_items, type_array},
    {"additionalItems", Role::annotation},  // with `items`
    {"minItems", Role::restriction, read_min_items, type_array},
    {"maxItems", Role::restriction, read_max_items, type_array},
    {"properties", Role::restriction, read_properties, type_object},
    {"additionalProperties", Role::restriction, read_additional, type_object},
    {"required", Role::restriction, read_required, type_object},
    {"propertyNames", Role::restriction, read_property_names, type_object},
    {"minProperties", Role::restriction, read_min_properties, type_object},
    {"maxProperties", Role::restriction, read_max_properties, type_object},
    {"$ref", Role::group},
    {"allOf", Role::group},
    {"anyOf", Role::group},
    {"oneOf", Role::group},

    {"$anchor", Role::annotation},
    {"$comment", Role::annotation},
    {"$defs", Role::annotation},
    {"$id", Role::annotation},
    {"$schema", Role::annotation},
    {"definitions", Role::annotation},
    {"default", Role::annotation},
    {"deprecated", Role::annotation},
    {"description", Role::annotation},
    {"discriminator", Role::annotation},
    {"example", Role::annotation},
    {"examples", Role::annotation},
    {"externalDocs", Role::annotation},
    {"readOnly", Role::annotation},
    {"title", Role::annotation},
    {"writeOnly", Role::annotation},

    {"multipleOf", Role::refused},
    {"not", Role::refused},
    {"if", Role::refused},
    {"then", Role::refused},
    {"else", Role::refused},
    {"contains", Role::refused},
    {"minContains", Role::refused},
    {"maxContains", Role::refused},
    {"uniqueItems", Role::refused, nullptr, 0, "false"},
    {"unevaluatedItems", Role::refused, nullptr, 0, "true"},
    {"unevaluatedProperties", Role::refused, nullptr, 0, "true"},
    {"patternProperties", Role::refused, nullptr, 0, "{}"},
    {"dependencies", Role::refused, nullptr, 0, "{}"},
    {"dependentRequired", Role::refused, nullptr, 0, "{}"},
    {"dependentSchemas", Role::refused, nullptr, 0, "{}"},
    {"contentEncoding", Role::refused},
    {"contentMediaType", Role::refused},
    {"contentSchema", Role::refused},
    {"$dynamicRef", Role::refused},
    {"$recursiveRef", Role::refused},
});

// Annotations of other specifications: those that OpenAPI lets everybody make up.
bool is_extension(std::string_view name) { return name.substr(0, 2) == "x-"; }

const Keyword* find_keyword(const Place& place, std::string_view name) {
    const auto known = std::find_if(keywords.begin(), keywords.end(), [&](const Keyword& k) { return k.name == name; });
    if (known != keywords.end()) return &*known;
    if (is_extension(name)) return nullptr;
    fail(place, "the keyword is unknown, so it cannot be honoured");
}

std::string percent_decoded(std::string_view text, const Place& place) {
    const auto digit = [&](size_t i) -> int {
        const char c = i < text.size() ? text[i] : 'x';
        if (c >= '0' && c <= '9') return c - '0';
        if (c >= 'A' && c <= 'F') return c - 'A' + 10;
        if (c >= 'a' && c <= 'f') return c - 'a' + 10;
        fail(place, "has a percent sign that escapes nothing");
    };
    std::string out;
    for (size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        out += static_cast<char>(digit(i + 1) * 16 + digit(i + 2));
        i += 2;
    }
    if (!is_utf8(out)) fail(place, "is not UTF-8");
    return out;
}

std::string unescaped(std::string_view step) {
    std::string out;
    for (size_t i = 0; i < step.size(); ++i) {
        const bool is_escape = step[i] == '~' && i + 1 < step.size() && (step[i + 1] == '0' || step[i + 1] == '1');
        out += !is_escape ? step[i] : step[++i] == '0' ? '~' : '/';
    }
    return out;
}

// Below `at`, or nullopt.
std::optional<Place> descend(const Place& at, const std::string& key) {
    if (at.json->is_object()) {
        const auto found = at.json->find(key);
        return found == at.json->end() ? std::nullopt : std::optional(child(at, key, *found));
    }
    if (!at.json->is_array() || key.empty() || key.size() > 9 ||
        !std::all_of(key.begin(), key.end(), [](char c) { return c >= '0' && c <= '9'; }))
        return std::nullopt;
    const size_t index = std::stoul(key);
    return index < at.json->size() ? std::optional(child(at, index)) : std::nullopt;
}

}  // namespace

std::string value_key(const Json& value) {
    if (value.is_array()) {
        std::string key = "[";
        for (const Json& item : value) key += value_key(item) + ",";
        return key + "]";
    }
    if (value.is_object()) {
        std::map<std::string, std::string> members;
        for (const auto& item : value.items()) members[item.key()] = value_key(item.value());
        return Json(members).dump();
    }
    if (!value.is_number_float()) return value.dump();
    const double number = value.get<double>();
    return number == std::floor(number) && std::abs(number) < 1e18 ? std::to_string(static_cast<int64_t>(number)) : value.dump();
}

size_t Schema::size() const {
    size_t n = 1 + parts.size() + patterns.size() + bounds.size() + required.size() + property_names.size();
    if (values) n += values->size();
    for (const ArrayPart& part : arrays) n += 1 + part.prefix.size();
    for (const ObjectPart& part : objects) n += 1 + part.properties.size();
    for (const Options& choice : choices) n += 1 + choice.options.size() + choice.path.size();
    return n;
}

Schema SchemaReader::read(const Places& places) {
    Schema schema;
    schema.where = places.empty() ? name_ : places.front().where;
    for (const Place& place : places) add(schema, place, {});
    return schema;
}

void SchemaReader::add_option(Schema& schema, const Schema::Options& choice, size_t option) {
    add(schema, choice.options[option], choice.path);
}

void SchemaReader::add(Schema& schema, const Place& place, Path path) {
    budget_.spend(1, place.where);
    if (place.json->is_boolean()) {
        if (!place.json->get<bool>()) schema.types = 0;
        return;
    }
    if (!place.json->is_object()) fail(place, "must be a schema: an object, or true or false");
    if (std::find(path.begin(), path.end(), place.json) != path.end()) fail(place, "is defined by itself, without a value in between");
    if (!schema.parts.insert(place.json).second) return;
    path.push_back(place.json);
    if (path.size() > budget_.limits().n_references) fail(place, "is reached through too many references");
    if (place.json != &document_ && place.json->contains("$id")) fail(place, "has an $id, which is supported at the top alone");

    for (const auto& item : place.json->items()) {
        budget_.spend(1 + item.value().size(), place.where);
        const Place value = child(place, item.key(), item.value());
        const Keyword* keyword = find_keyword(value, item.key());
        if (!keyword || keyword->role == Role::annotation) continue;
        if (keyword->role == Role::group) {
            add_group(schema, value, item.key(), path);
        } else if (keyword->role == Role::restriction) {
            keyword->read(schema, value, *place.json);
            schema.types_meant |= keyword->type;
        } else if (item.value().dump() != keyword->harmless) {
            fail(value, "the keyword is not supported");
        }
    }
}

void SchemaReader::add_group(Schema& schema, const Place& place, std::string_view keyword, const Path& path) {
    if (keyword == "$ref") return add_reference(schema, place, path);
    Places options = children(place, 1);
    if (keyword != "allOf") {
        schema.choices.push_back({std::move(options), keyword == "oneOf", place.where, path});
        return;
    }
    for (const Place& part : options) add(schema, part, path);
}

void SchemaReader::add_reference(Schema& schema, const Place& keyword, const Path& path) {
    const std::string& text = as_string(keyword);
    if (text.empty() || text[0] != '#') fail(keyword, "\"" + text + "\" lies outside of this schema");
    const std::string pointer = percent_decoded(std::string_view(text).substr(1), keyword);
    Place target = root();
    for (size_t at = 0; at < pointer.size();) {
        if (pointer[at] != '/') fail(keyword, "\"" + text + "\" is no JSON pointer; names are not supported");
        const size_t end = std::min(pointer.find('/', at + 1), pointer.size());
        const auto next = descend(target, unescaped(std::string_view(pointer).substr(at + 1, end - at - 1)));
        if (!next) fail(keyword, "\"" + text + "\" does not exist");
        target = *next;
        at = end;
    }
    add(schema, target, path);
}

}  // namespace kylin::grammar
