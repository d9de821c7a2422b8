#include "server/access.h"

#include <algorithm>

#include "server/framing.h"
#include "server/http_error.h"

namespace kylin::server {
namespace {

// "localhost:8080" -> "localhost", "[::1]:8080" -> "[::1]"
std::string_view host_name(std::string_view host) {
    const size_t bracket = host.find(']');
    return host.substr(0, host.find(':', bracket == host.npos ? 0 : bracket));
}

bool is_own_name(std::string_view host, const AccessRules& rules) {
    return rules.hosts.empty() || std::find(rules.hosts.begin(), rules.hosts.end(), host_name(host)) != rules.hosts.end();
}

bool is_allowed_origin(std::string_view origin, const HttpRequest& request, const AccessRules& rules) {
    const size_t scheme = origin.find("://");
    if (scheme != origin.npos && origin.substr(scheme + 3) == request.field("host")) return true;  // a page of this server
    return std::any_of(rules.cors_origins.begin(), rules.cors_origins.end(), [&](const auto& o) { return o == "*" || o == origin; });
}

bool has_key(const HttpRequest& request, const AccessRules& rules) {
    constexpr std::string_view scheme = "bearer ";  // in either case, says RFC 9110
    const std::string_view given = request.field("authorization");
    return lower(given.substr(0, scheme.size())) == scheme && equal_in_constant_time(given.substr(scheme.size()), rules.api_key);
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
    if (!host.empty() && !is_own_name(host, rules)) return error_response(403, "this server does not answer to that name", "Host");
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
    // Clients bring fields of their own (OpenAI's tells its version in nine of them), and none of them means anything here.
    const std::string_view asked = request.field("access-control-request-headers");
    return {{"Access-Control-Allow-Origin", std::string(origin)},
            {"Access-Control-Allow-Methods", "GET, POST"},
            {"Access-Control-Allow-Headers", asked.empty() ? "Authorization, Content-Type" : std::string(asked)},
            {"Access-Control-Expose-Headers", "X-Request-Id, Retry-After"},
            {"Vary", "Origin"}};
}

}  // namespace kylin::server
