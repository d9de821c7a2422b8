#include "server/api_document.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <stdexcept>

#include "server/route_documents.h"
#include "server/routes.h"

namespace kylin::server {
namespace {

struct ApiName {
    Api api;
    std::string_view schema, word;
};
constexpr ApiName api_names[] = {
    {api_generate, "GenerateRequest", "generate"},
    {api_chat, "ChatRequest", "chat"},
    {api_completions, "CompletionRequest", "completions"},
    {api_embeddings, "EmbeddingRequest", "embeddings"},
};

constexpr NamedSchema field_types[] = {
    {"string", R"({"type": "string"})"},
    {"integer", R"({"type": "integer"})"},
    {"number", R"({"type": "number"})"},
    {"boolean", R"({"type": "boolean"})"},
    {"object", R"({"type": "object"})"},
    {"array", R"({"type": "array", "items": {"type": "object"}})"},
    {"array of token ids", R"({"type": "array", "items": {"type": "integer", "minimum": 0}})"},
    {"string or array", R"({"type": ["string", "array"], "items": {"type": "string"}})"},
    {"string or object", R"({"type": ["string", "object"]})"},
    {"string, token ids, or an array of either",
     R"({"type": ["string", "array"], "items": {"type": ["string", "integer", "array"], "items": {"type": "integer"}}})"},
};

constexpr std::string_view required = "required";

Json parsed(std::string_view json) { return Json::parse(json); }

// 1, not 1.0
Json number(double value) { return value == std::floor(value) ? Json(static_cast<int64_t>(value)) : Json(value); }

Json ref(std::string_view schema) { return {{"$ref", fmt::format("#/components/schemas/{}", schema)}}; }

bool is_open(const RouteDocument& document) {
    const auto table = route_table();
    const auto it = std::find_if(table.begin(), table.end(),
                                 [&](const RouteEntry& e) { return e.path == document.path && e.method == document.method; });
    if (it == table.end()) throw std::logic_error(fmt::format("no such route: {}", document.path));
    return it->open;
}

Json request_schema(Api api) {
    Json properties = Json::object(), names = Json::array();
    for (const RequestField& field : request_fields()) {
        if (!(field.apis & api)) continue;
        properties[std::string(field.name)] = schema_of(field);
        if (field.fallback == required) names.push_back(field.name);
    }
    return {{"type", "object"}, {"required", std::move(names)}, {"properties", std::move(properties)}};
}

Json components() {
    Json schemas = Json::object();
    for (const ApiName& name : api_names) schemas[std::string(name.schema)] = request_schema(name.api);
    for (const NamedSchema& schema : answer_schemas()) schemas[std::string(schema.name)] = parsed(schema.schema);
    const Json key = {{"type", "http"}, {"scheme", "bearer"}, {"description", "Where the server was started with a key"}};
    return {{"schemas", std::move(schemas)}, {"securitySchemes", {{"key", key}}}};
}

Json body_of(const RouteDocument& document) {
    Json schema;
    if (document.api == 0) schema = parsed(document.body);
    for (const ApiName& name : api_names)
        if (document.api == name.api) schema = ref(name.schema);
    const Json content = {{"schema", std::move(schema)}, {"example", parsed(document.example)}};
    return {{"required", true}, {"content", {{"application/json", content}}}};
}

Json answer_of(const RouteDocument& document) {
    Json content = Json::object();
    if (!document.answer.empty()) content["application/json"] = {{"schema", ref(document.answer)}};
    if (document.streams) content["text/event-stream"] = {{"schema", {{"type", "string"}}}};
    if (content.empty()) content["text/plain"] = {{"schema", {{"type", "string"}}}};
    return {{"description", "The answer"}, {"content", std::move(content)}};
}

// "POST", "/v1/chat/completions" -> "post_v1_chat_completions"
std::string operation_id(const RouteDocument& document) {
    std::string id = fmt::format("{}{}", document.method == "GET" ? "get" : "post", document.path == "/" ? "/root" : document.path);
    std::replace_if(
        id.begin(), id.end(), [](char c) { return c == '/' || c == '.'; }, '_');
    return id;
}

Json operation(const RouteDocument& document) {
    Json json = {{"operationId", operation_id(document)}, {"summary", document.summary}};
    // An empty object: a server without a key asks for none.
    json["security"] = is_open(document) ? Json::array() : Json::array({Json::object(), {{"key", Json::array()}}});
    if (!document.example.empty()) json["requestBody"] = body_of(document);
    const Json error = {{"description", "What was wrong"}, {"content", {{"application/json", {{"schema", ref("Error")}}}}}};
    json["responses"] = {{"200", answer_of(document)}, {"default", error}};
    return json;
}

std::string words_of(unsigned apis) {
    if ((apis & api_all) == api_all) return apis & api_embeddings ? "all" : "all but embeddings";
    std::string words;
    for (const ApiName& name : api_names)
        if (apis & name.api) words += fmt::format("{}{}", words.empty() ? "" : ", ", name.word);
    return words;
}

std::string paths_of(unsigned api) {
    std::string paths;
    for (const RouteDocument& document : route_documents())
        if (document.api == api) paths += fmt::format("{}`{}`", paths.empty() ? "" : " and ", document.path);
    return paths;
}

void write_routes(std::string& out) {
    out += "## Routes\n\n| route | what it does | needs the key |\n|---|---|---|\n";
    for (const RouteDocument& d : route_documents())
        out += fmt::format("| `{} {}` | {} | {} |\n", d.method, d.path, d.summary, is_open(d) ? "no" : "yes");
}

void write_fields(std::string& out) {
    out += "\n## Fields\n\n`null` counts as absent. Unknown fields are ignored, because OpenAI's clients send more than they need.\n\n";
    for (const ApiName& name : api_names) out += fmt::format("- {}: {}\n", name.word, paths_of(name.api));
    out += "\n| field | of | type | range | default | meaning |\n|---|---|---|---|---|---|\n";
    for (const RequestField& f : request_fields())
        out += fmt::format("| `{}` | {} | {} | {} | {} | {} |\n", f.name, words_of(f.apis), f.type, f.range.words, f.fallback, f.meaning);
}

void write_refused(std::string& out) {
    out +=
        "\n## Refused\n\nWhat would shape the answer in a way that is not supported is 400, never an answer without it.\n\n"
        "| field | of | allowed |\n|---|---|---|\n";
    for (const RefusedField& f : refused_fields())
        out += fmt::format("| `{}` | {} | `{}` |\n", f.name, words_of(f.apis), f.harmless.empty() ? "null" : f.harmless);
}

void write_examples(std::string& out) {
    out += "\n## Examples\n\n```sh\n";
    for (const RouteDocument& d : route_documents()) {
        const std::string body = d.example.empty() ? "" : fmt::format(" -d '{}'", d.example);
        out += fmt::format("curl http://localhost:8080{}{}\n", d.path, body);
    }
    out += "```\n";
}

}  // namespace

Json schema_of(const RequestField& field) {
    const auto it = std::find_if(std::begin(field_types), std::end(field_types), [&](const auto& t) { return t.name == field.type; });
    if (it == std::end(field_types)) throw std::logic_error(fmt::format("{}: no schema for the type \"{}\"", field.name, field.type));
    Json schema = parsed(it->schema);
    if (field.fallback != required) {
        if (!schema["type"].is_array()) schema["type"] = Json::array({schema["type"]});
        schema["type"].push_back("null");
    }
    if (field.range.low) schema["minimum"] = number(*field.range.low);
    if (field.range.high) schema["maximum"] = number(*field.range.high);
    schema["description"] = fmt::format("{}. Range: {}. Default: {}.", field.meaning, field.range.words, field.fallback);
    return schema;
}

Json openapi_document(std::string_view version) {
    Json paths = Json::object();
    for (const RouteDocument& document : route_documents())
        paths[std::string(document.path)][document.method == "GET" ? "get" : "post"] = operation(document);
    return {{"openapi", "3.1.0"},
            {"info", {{"title", "Kylin"}, {"version", version}, {"license", {{"name", "MIT"}, {"identifier", "MIT"}}}}},
            {"servers", Json::array({{{"url", "http://localhost:8080"}}})},
            {"paths", std::move(paths)},
            {"components", components()}};
}

std::string api_markdown() {
    std::string out =
        "# The server's interface\n\n"
        "Made by `kylin serve --print-api` from the tables that the server works by; a test fails where this file differs. "
        "[server.md](server.md) explains; [openapi.json](openapi.json), also served at `/openapi.json`, is for programs.\n\n";
    write_routes(out);
    write_fields(out);
    write_refused(out);
    write_examples(out);
    return out;
}

}  // namespace kylin::server
