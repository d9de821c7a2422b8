// The pages for browsers, as bytes in the program: web/chat/dist, written into a C++ file by web/chat/embed.cmake.
#pragma once
#include <span>
#include <string_view>

namespace kylin::server {

struct WebFile {
    std::string_view path, content_type, etag, bytes;
};

std::span<const WebFile> web_files();
// Content-Security-Policy: scripts and styles of this server only, no string is ever read as HTML.
extern const std::string_view web_policy;

}  // namespace kylin::server
