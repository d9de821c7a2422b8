// Server-sent events: "data: …", then an empty line. JSON from dump() has no line ends, so one line holds it.
#pragma once
#include <string>
#include <string_view>

namespace kylin::server {

inline std::string sse_event(std::string_view data) { return "data: " + std::string(data) + "\n\n"; }

}  // namespace kylin::server
