// What a client reads when a request fails: OpenAI's error object, on every route.
#pragma once
#include <string>
#include <string_view>

#include "server/exchange.h"

namespace kylin::server {

// `param`: the field at fault, or empty.
std::string error_json(int status, std::string_view message, std::string_view param = {});
HttpResponse error_response(int status, std::string_view message, std::string_view param = {});
std::string_view reason_phrase(int status);

}  // namespace kylin::server
