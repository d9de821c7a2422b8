#include "server/response_format.h"

#include <algorithm>

#include "base/error.h"
#include "server/json_fields.h"

namespace kylin::server {
namespace {

constexpr auto schema_field = "response_format.json_schema.schema";
constexpr size_t max_name = 64;  // OpenAI's

// The name is for the client alone; OpenAI asks for one, so a call that works there works here and the other way round.
void check_name(const Json& value, std::string_view name) {
    const std::string& text = as_string(value, name);
    const bool is_plain = std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    });
    if (text.empty() || text.size() > max_name || !is_plain)
        throw InputError(std::string(name), "must be 1 to 64 letters, digits, _ and -");
}

const Json& member(const Json& object, const char* key, std::string_view where) {
    const auto it = object.find(key);
    if (it == object.end() || it->is_null()) throw InputError(std::string(where) + "." + key, "is missing");
    return *it;
}

}  // namespace

ResponseFormat read_response_format(const Json& value, std::string_view name) {
    using Kind = ResponseFormat::Kind;
    const std::string type_field = std::string(name) + ".type", format_field = std::string(name) + ".json_schema";
    const std::string& type = as_string(member(as_object(value, name), "type", name), type_field);
    if (type == "text") return {};
    if (type == "json_object") return {Kind::json_object};
    if (type != "json_schema") throw InputError(type_field, "\"" + type + "\" is none of text, json_object, json_schema");

    const Json& format = as_object(member(value, "json_schema", name), format_field);
    check_name(member(format, "name", format_field), format_field + ".name");
    // Either way the schema is enforced.
    if (const auto strict = format.find("strict"); strict != format.end() && !strict->is_null()) as_bool(*strict, format_field + ".strict");
    return {Kind::json_schema, member(format, "schema", format_field)};
}

std::shared_ptr<const grammar::Constraint> constraint_for(const ResponseFormat& format, grammar::Thoughts thoughts,
                                                          const std::shared_ptr<const grammar::MaskCache>& masks) {
    if (format.kind == ResponseFormat::Kind::text) return nullptr;
    grammar::Grammar answer = format.kind == ResponseFormat::Kind::json_object
                                  ? grammar::json_object_answer(thoughts)
                                  : grammar::json_schema_answer(format.schema, schema_field, thoughts);
    return std::make_shared<const grammar::Constraint>(grammar::compile(std::move(answer)), masks);
}

}  // namespace kylin::server
