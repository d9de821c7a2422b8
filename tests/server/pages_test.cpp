// Which requests get a page, and with what around it.
#include "server/pages.h"

#include <gtest/gtest.h>

#include "server/web_files.h"

namespace kylin::server {
namespace {

constexpr const char* browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

HttpRequest get(std::string target, std::map<std::string, std::string, std::less<>> fields = {}) {
    return {.id = "1", .method = "GET", .target = std::move(target), .body = "", .fields = std::move(fields)};
}

std::string field(const HttpResponse& response, std::string_view name) {
    for (const auto& [n, value] : response.fields)
        if (n == name) return value;
    return "";
}

TEST(Pages, RootIsAPageForBrowsersOnly) {
    const auto page = page_response(get("/", {{"accept", browser}}));
    ASSERT_TRUE(page);
    EXPECT_EQ(page->status, 200);
    EXPECT_EQ(page->content_type, "text/html; charset=utf-8");
    EXPECT_NE(page->body.find("assets/chat.js"), std::string::npos);
    EXPECT_EQ(field(*page, "Vary"), "Accept");
    EXPECT_EQ(page_response(get("/numerics?id=x", {{"accept", browser}}))->body, page_response(get("/numerics.html"))->body);
    EXPECT_FALSE(page_response(get("/numerics", {{"accept", "application/json"}})));
    EXPECT_FALSE(page_response(get("/")));
    EXPECT_FALSE(page_response(get("/", {{"accept", "*/*"}})));  // curl
    EXPECT_FALSE(page_response(get("/", {{"accept", "application/json"}})));
}

TEST(Pages, EveryFileHasItsTypeAndTheStrictPolicy) {
    for (const char* path :
         {"/chat.html", "/numerics.html", "/assets/chat.js", "/assets/chat.css", "/assets/numerics.js", "/assets/numerics.css?x=1"}) {
        const auto page = page_response(get(path));
        ASSERT_TRUE(page) << path;
        EXPECT_GT(page->body.size(), 400u) << path;
        EXPECT_NE(page->content_type.find("charset=utf-8"), std::string::npos) << path;
        const std::string policy = field(*page, "Content-Security-Policy");
        EXPECT_NE(policy.find("default-src 'none'"), std::string::npos);
        EXPECT_NE(policy.find("require-trusted-types-for 'script'"), std::string::npos);
        EXPECT_EQ(policy.find("unsafe"), std::string::npos);
    }
    EXPECT_EQ(page_response(get("/assets/chat.js"))->content_type, "text/javascript; charset=utf-8");
}

TEST(Pages, BytesAreThoseOfTheFile) {
    for (const WebFile& file : web_files()) {
        EXPECT_EQ(file.bytes.back(), '\n') << file.path;
        EXPECT_EQ(file.bytes.find('\0'), std::string_view::npos) << file.path;
        EXPECT_EQ(page_response(get(std::string(file.path)))->body, file.bytes);
    }
}

TEST(Pages, AnUnchangedPageIsNotSentAgain) {
    const auto first = page_response(get("/numerics.html"));
    const auto second = page_response(get("/numerics.html", {{"if-none-match", "\"old\", " + field(*first, "ETag")}}));
    EXPECT_EQ(second->status, 304);
    EXPECT_TRUE(second->body.empty());
    EXPECT_EQ(page_response(get("/numerics.html", {{"if-none-match", "\"old\""}}))->status, 200);
}

TEST(Pages, NothingElseIsAPage) {
    for (const char* path : {"/chat", "/assets/", "/assets/../chat.html", "//", "/dist/chat.html", "/v1/models", ""})
        EXPECT_FALSE(page_response(get(path, {{"accept", browser}}))) << path;
    HttpRequest post = get("/chat.html");
    post.method = "POST";
    EXPECT_EQ(page_response(post)->status, 405);
}

}  // namespace
}  // namespace kylin::server
