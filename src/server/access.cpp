#include "server/access.h"

#include <algorithm>
#include <array>

#include "server/http_error.h"

namespace kylin::server {
namespace {

// "localhost:8080" -> "localhost", "[::1]:8080" -> "[::1]"
std::string_view host_name(std::string_view host) {
    const size_t bracket = host.find(']');
    return host.substr(0, host.find(':', bracket == host.npos ? 0 : bracket));
}

bool is_local(std::string_view host) {
    constexpr auto names = std::to_array<std::string_view>({"localhost", "127.0.0.1", "[::1]"});
    return std::find(names.begin(), names.end(), host_name(host)) != names.end();
}

bool is_allowed_origin(std::string_view origin, const HttpRequest& request, const AccessRules& rules) {
    const size_t scheme = origin.find("://");
    if (scheme != origin.npos && origin.substr(scheme + 3) == request.field("host")) return true;  // a page of this server
    return std::any_of(rules.cors_origins.begin(), rules.cors_origins.end(), [&](const auto& o) { return o == "*" || o == origin; });
}

bool has_key(const HttpRequest& request, const AccessRules& rules) {
    constexpr std::string_view scheme = "Bearer ";
    const std::string_view given = request.field("authorization");
    return given.substr(0, scheme.size()) == scheme && equal_in_constant_time(given.substr(scheme.size()), rules.api_key);
}

}  // namespace

bool equal_in_constant_time(std::string_view given, std::string_view secret) {
    unsigned difference = given.size() == secret.size() ? 0 : 1;
    const auto byte = [](std::string_view text, size_t i) { return static_cast<unsigned>(static_cast<unsigned char>(text[i])); };
    for (size_t i = 0; i < given.size() && !secret.empty(); ++i) difference |= byte(given, i) ^ byte(secret, i % secret.size());
    return difference == 0;
}

std::optional<HttpResponse> check_access(const HttpRequest& request, const AccessRules& rules, bool open) {
    const std::string_view host = request.field("host"), origin = request.field("origin");
    if (rules.local_only && !host.empty() && !is_local(host)) return error_response(403, "this server answers to localhost only", "Host");
    if (!origin.empty() && !is_allowed_origin(origin, request, rules))
        return error_response(403, "pages of this origin may not ask; see --cors-origin", "Origin");
    if (open || rules.api_key.empty() || has_key(request, rules)) return std::nullopt;
    HttpResponse response = error_response(401, "the API key is missing or wrong: Authorization: Bearer KEY", "Authorization");
    response.fields.emplace_back("WWW-Authenticate", "Bearer");
    return response;
}

std::vector<std::pair<std::string, std::string>> cors_fields(const HttpRequest& request, const AccessRules& rules) {
    const std::string_view origin = request.field("origin");
    if (origin.empty() || rules.cors_origins.empty() || !is_allowed_origin(origin, request, rules)) return {};
    return {{"Access-Control-Allow-Origin", std::string(origin)},
            {"Access-Control-Allow-Methods", "GET, POST"},
            {"Access-Control-Allow-Headers", "Authorization, Content-Type"},
            {"Vary", "Origin"}};
}

}  // namespace kylin::server
