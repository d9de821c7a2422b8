#include "server/pages.h"

#include <algorithm>

#include "server/http_error.h"
#include "server/web_files.h"

namespace kylin::server {
namespace {

// Two routes are pages to browsers, which ask for HTML.
std::string_view file_of(const HttpRequest& request) {
    const std::string_view path = request.path();
    if (request.field("accept").find("text/html") == std::string_view::npos) return path;
    return path == "/" ? "/chat.html" : path == "/numerics" ? "/numerics.html" : path;
}

const WebFile* find_file(const HttpRequest& request) {
    const std::string_view path = file_of(request);
    const auto files = web_files();
    const auto it = std::find_if(files.begin(), files.end(), [&](const WebFile& file) { return file.path == path; });
    return it == files.end() ? nullptr : &*it;
}

}  // namespace

std::optional<HttpResponse> page_response(const HttpRequest& request) {
    const WebFile* file = find_file(request);
    if (!file) return std::nullopt;
    if (request.method != "GET" && request.method != "HEAD") {
        HttpResponse response = error_response(405, "a page takes GET");
        response.fields.emplace_back("Allow", "GET, HEAD");
        return response;
    }
    HttpResponse response{.content_type = std::string(file->content_type),
                          .fields = {{"ETag", std::string(file->etag)},
                                     {"Cache-Control", "no-cache"},  // kept, and asked for again by its ETag
                                     {"Vary", "Accept"},
                                     {"Content-Security-Policy", std::string(web_policy)},
                                     {"Referrer-Policy", "no-referrer"},
                                     {"Cross-Origin-Opener-Policy", "same-origin"}}};
    if (request.field("if-none-match").find(file->etag) != std::string_view::npos)
        response.status = 304;
    else
        response.body = file->bytes;
    return response;
}

}  // namespace kylin::server
