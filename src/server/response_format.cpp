#include "server/response_format.h"

#include "base/error.h"
#include "server/json_fields.h"

namespace kylin::server {

ResponseFormat read_response_format(const Json& value, std::string_view name) {
    using Kind = ResponseFormat::Kind;
    const std::string type_field = std::string(name) + ".type", format_field = std::string(name) + ".json_schema";
    const std::string& type = as_string(required_member(as_object(value, name), "type", name), type_field);
    if (type == "text") return {};
    if (type == "json_object") {
        // llama.cpp's way to ask for a schema; without it the answer would not be what was asked for.
        const auto schema = value.find("schema");
        if (schema == value.end() || schema->is_null()) return {Kind::json_object};
        return {Kind::json_schema, *schema, std::string(name) + ".schema"};
    }
    if (type != "json_schema") throw InputError(type_field, "\"" + type + "\" is none of text, json_object, json_schema");

    const Json& format = as_object(required_member(value, "json_schema", name), format_field);
    // The name is for the client alone; OpenAI asks for one, so a call that works there works here and the other way round.
    as_identifier(required_member(format, "name", format_field), format_field + ".name");
    // Either way the schema is enforced.
    if (const auto strict = format.find("strict"); strict != format.end() && !strict->is_null()) as_bool(*strict, format_field + ".strict");
    return {Kind::json_schema, required_member(format, "schema", format_field), format_field + ".schema"};
}

std::shared_ptr<const grammar::Constraint> constraint_for(const ResponseFormat& format, grammar::Thoughts thoughts,
                                                          const std::shared_ptr<const grammar::MaskCache>& masks) {
    if (format.kind == ResponseFormat::Kind::text) return nullptr;
    grammar::Grammar answer = format.kind == ResponseFormat::Kind::json_object
                                  ? grammar::json_object_answer(thoughts)
                                  : grammar::json_schema_answer(format.schema, format.schema_field, thoughts);
    return std::make_shared<const grammar::Constraint>(grammar::compile(std::move(answer)), masks);
}

}  // namespace kylin::server
