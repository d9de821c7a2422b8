// What each route is for, what it takes and what it gives: for the documents, not for the server's work.
#pragma once
#include <span>
#include <string_view>

namespace kylin::server {

struct RouteDocument {
    std::string_view method, path, summary;
    unsigned api;              // whose fields the body has; 0: `body` has them
    std::string_view body;     // JSON Schema; empty: the table of fields says it, or there is no body
    std::string_view example;  // of a body
    std::string_view answer;   // a schema of answer_schemas(); empty: text
    bool streams = false;      // the answer can come as server-sent events
};

std::span<const RouteDocument> route_documents();

struct NamedSchema {
    std::string_view name, schema;  // JSON Schema
};

// What the server's answers are, as far as programs may rely on it.
std::span<const NamedSchema> answer_schemas();

}  // namespace kylin::server
