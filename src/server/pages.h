// The pages that a browser gets: the chat at /, the numerics, and their scripts and styles.
#pragma once
#include <optional>

#include "server/exchange.h"

namespace kylin::server {

// The answer where a page is asked for, else nullopt. At / only those who accept HTML mean the page: all others get what the API says
// there. Pages need no API key, for a browser sends none with them; the page asks its reader for it.
std::optional<HttpResponse> page_response(const HttpRequest& request);

}  // namespace kylin::server
