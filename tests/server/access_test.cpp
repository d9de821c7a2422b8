#include "server/access.h"

#include <gtest/gtest.h>

namespace kylin::server {
namespace {

using Fields = std::map<std::string, std::string, std::less<>>;

HttpRequest request(Fields fields) {
    HttpRequest request;
    request.method = "GET";
    request.target = "/";
    request.fields = std::move(fields);
    return request;
}

AccessRules with_key(const std::string& key) {
    AccessRules rules;
    rules.api_key = key;
    return rules;
}

AccessRules with_origin(const std::string& origin) {
    AccessRules rules;
    rules.cors_origins = {origin};
    return rules;
}

int status(const AccessRules& rules, Fields fields, bool open = false) {
    const auto refusal = check_access(request(std::move(fields)), rules, open);
    return refusal ? refusal->status : 200;
}

TEST(Access, TheKeyIsComparedWhole) {
    const AccessRules rules = with_key("secret");
    EXPECT_EQ(status(rules, {{"authorization", "Bearer secret"}}), 200);
    for (const char* wrong : {"", "secret", "Bearer", "Bearer ", "Bearer secre", "Bearer secrets", "Bearer Secret", "Bearer  secret",
                              "Bearer secretsecret", "Basic secret", "Digest secret"})
        EXPECT_EQ(status(rules, {{"authorization", wrong}}), 401) << wrong;
    EXPECT_EQ(status(rules, {{"authorization", "bearer secret"}}), 200);
    EXPECT_EQ(status(rules, {{"authorization", "Bearer "}}), 401);
    EXPECT_EQ(status(rules, {}), 401);
    EXPECT_EQ(status(rules, {}, true), 200);
}

TEST(Access, ForeignNamesAndPagesAreRefused) {
    AccessRules local;
    local.hosts = {"localhost", "127.0.0.1", "[::1]"};
    for (const char* host : {"localhost", "localhost:8080", "127.0.0.1:8080", "[::1]:8080"})
        EXPECT_EQ(status(local, {{"host", host}}), 200) << host;
    for (const char* host : {"evil.example", "127.0.0.1.evil.example:8080", "localhost.evil.example", "[::2]:1"})
        EXPECT_EQ(status(local, {{"host", host}}), 403) << host;
    EXPECT_EQ(status(local, {{"host", "localhost:8080"}, {"origin", "http://localhost:8080"}}), 200);
    EXPECT_EQ(status(local, {{"host", "localhost:8080"}, {"origin", "http://localhost:3000"}}), 403);
    EXPECT_EQ(status(local, {{"host", "localhost:8080"}, {"origin", "null"}}), 403);
    EXPECT_TRUE(cors_fields(request({{"host", "localhost:8080"}, {"origin", "http://localhost:8080"}}), local).empty());
}

TEST(Access, NamedPagesMayAsk) {
    const AccessRules rules = with_origin("https://a.example");
    EXPECT_EQ(status(rules, {{"host", "localhost"}, {"origin", "https://a.example"}}), 200);
    EXPECT_EQ(status(rules, {{"host", "localhost"}, {"origin", "https://b.example"}}), 403);
    EXPECT_EQ(cors_fields(request({{"origin", "https://a.example"}}), rules).at(0).second, "https://a.example");
    EXPECT_TRUE(cors_fields(request({{"origin", "https://b.example"}}), rules).empty());
}

}  // namespace
}  // namespace kylin::server
