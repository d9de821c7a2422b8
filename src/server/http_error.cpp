#include "server/http_error.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

namespace kylin::server {
namespace {

struct Status {
    int number;
    std::string_view phrase, type;
};

constexpr auto statuses = std::to_array<Status>({
    {200, "OK", ""},
    {204, "No Content", ""},
    {304, "Not Modified", ""},
    {400, "Bad Request", "invalid_request_error"},
    {401, "Unauthorized", "authentication_error"},
    {403, "Forbidden", "permission_error"},
    {404, "Not Found", "not_found_error"},
    {405, "Method Not Allowed", "invalid_request_error"},
    {408, "Request Timeout", "invalid_request_error"},
    {413, "Content Too Large", "invalid_request_error"},
    {415, "Unsupported Media Type", "invalid_request_error"},
    {417, "Expectation Failed", "invalid_request_error"},
    {429, "Too Many Requests", "rate_limit_error"},
    {431, "Request Header Fields Too Large", "invalid_request_error"},
    {500, "Internal Server Error", "server_error"},
    {501, "Not Implemented", "invalid_request_error"},
    {503, "Service Unavailable", "server_error"},
    {505, "HTTP Version Not Supported", "invalid_request_error"},
});

const Status& find(int status) {
    const auto it = std::find_if(statuses.begin(), statuses.end(), [&](const Status& s) { return s.number == status; });
    return it == statuses.end() ? find(500) : *it;
}

}  // namespace

std::string_view reason_phrase(int status) { return find(status).phrase; }

std::string error_json(int status, std::string_view message, std::string_view param) {
    using Json = nlohmann::ordered_json;
    const Json error = {{"message", message},
                        {"type", find(status).type},
                        {"param", param.empty() ? Json() : Json(param)},
                        {"code", status == 404 && param == "model" ? Json("model_not_found") : Json()}};
    return Json{{"error", error}}.dump(-1, ' ', false, Json::error_handler_t::replace);
}

HttpResponse error_response(int status, std::string_view message, std::string_view param) {
    return {.status = status, .body = error_json(status, message, param) + "\n"};
}

}  // namespace kylin::server
