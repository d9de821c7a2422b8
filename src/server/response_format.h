// response_format: what a client asks of the answer's form. docs/structured-output.md says what is honoured.
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "grammar/answers.h"
#include "grammar/constraint.h"
#include "server/json.h"

namespace kylin::server {

struct ResponseFormat {
    enum class Kind : uint8_t { text, json_object, json_schema } kind = Kind::text;
    Json schema = {};
    std::string schema_field = {};  // where the request has it
};

// Throws InputError.
ResponseFormat read_response_format(const Json& value, std::string_view name);

// nullptr: any text. Throws InputError for a schema that cannot be honoured.
std::shared_ptr<const grammar::Constraint> constraint_for(const ResponseFormat& format, grammar::Thoughts thoughts,
                                                          const std::shared_ptr<const grammar::MaskCache>& masks);

}  // namespace kylin::server
