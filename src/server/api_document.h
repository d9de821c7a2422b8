// The interface as documents, made from the tables that the server works by: its routes and the fields of its requests.
#pragma once
#include <string>
#include <string_view>

#include "server/json.h"
#include "server/request_schema.h"

namespace kylin::server {

// OpenAPI 3.1.
Json openapi_document(std::string_view version);

// docs/api.md.
std::string api_markdown();

// The JSON Schema of one field's values, null among them where the field may be left out.
Json schema_of(const RequestField& field);

}  // namespace kylin::server
