// Who may ask: the API key, and which web pages.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "server/exchange.h"

namespace kylin::server {

struct AccessRules {
    std::string api_key;                    // empty: none is asked for
    std::vector<std::string> cors_origins;  // pages of other origins that may ask; "*": all
    std::vector<std::string> hosts;         // the names that the server answers to; empty: all
};

// The time depends on the length of `given`, not on how much of it is right.
bool equal_in_constant_time(std::string_view given, std::string_view secret);

// The refusal, or nullopt. A page that a browser has loaded from elsewhere cannot reach a server on this machine: not by its own origin,
// nor by a host name that it has bound to 127.0.0.1, nor by a preflight. `open`: asked for no key.
std::optional<HttpResponse> check_access(const HttpRequest& request, const AccessRules& rules, bool open);

// The fields that tell the browser of an allowed page so; empty for all others.
std::vector<std::pair<std::string, std::string>> cors_fields(const HttpRequest& request, const AccessRules& rules);

}  // namespace kylin::server
