#include "server/api_document.h"

#include <gtest/gtest.h>
#include <set>

#include "base/error.h"
#include "server/route_documents.h"
#include "server/routes.h"

namespace kylin::server {
namespace {

constexpr Api apis[] = {api_generate, api_completions, api_chat, api_embeddings};

// A request with what the field needs beside it; the error's field, or nothing.
std::string where(Api api, const RequestField& field, const Json& value) {
    Json body =
        api == api_chat ? Json{{"messages", Json::array({Json::object()})}} : Json{{api == api_embeddings ? "input" : "prompt", "x"}};
    if (api == api_chat) body["logprobs"] = true;
    if (api & api_openai) body["stream"] = true;
    body[std::string(field.name)] = value;
    try {
        const Call defaults;
        parse_call(body, api, defaults);
        return "";
    } catch (const InputError& error) {
        return error.where();
    }
}

bool allows(const Json& schema, const std::string& type) {
    const Json& types = schema["type"];
    return types.is_array() ? std::find(types.begin(), types.end(), type) != types.end() : types == type;
}

template <class Check>
void for_every_field(Check check) {
    for (const Api api : apis)
        for (const RequestField& field : request_fields())
            if (field.apis & api) {
                SCOPED_TRACE(field.name);
                check(api, field, schema_of(field));
            }
}

TEST(ApiDocument, BoundsAreThoseOfTheReader) {
    int n = 0;
    for_every_field([&](Api api, const RequestField& field, const Json& schema) {
        if (schema.contains("minimum")) {
            ++n;
            EXPECT_EQ(where(api, field, schema["minimum"]), "");
            EXPECT_EQ(where(api, field, schema["minimum"].get<double>() - 1), field.name);
        }
        if (schema.contains("maximum")) {
            EXPECT_EQ(where(api, field, schema["maximum"]), "");
            EXPECT_EQ(where(api, field, schema["maximum"].get<double>() + 1), field.name);
        }
        // What is a number, and has no bounds here, is documented without them on purpose.
        EXPECT_TRUE(schema.contains("minimum") || !allows(schema, "number")) << field.range.words;
    });
    EXPECT_GT(n, 20);
}

// The schema may be wider than the reader, never narrower or of another kind.
TEST(ApiDocument, TypesAreThoseOfTheReader) {
    const std::pair<const char*, Json> values[] = {
        {"string", "x"}, {"integer", 1}, {"boolean", true}, {"object", Json::object()}, {"array", Json::array({0})}, {"null", nullptr}};
    for_every_field([&](Api api, const RequestField& field, const Json& schema) {
        for (const auto& [type, value] : values) {
            // What hangs on the value of a field is read later.
            const bool read_later = field.name == "prompt" || field.name == "messages" || field.name == "input";
            const bool allowed = allows(schema, type) || (type == std::string("integer") && allows(schema, "number"));
            if (!allowed && !read_later) {
                EXPECT_NE(where(api, field, value), "") << type;
            }
            if (type == std::string("null")) {
                EXPECT_EQ(allowed, where(api, field, value).empty());
            }
        }
    });
}

TEST(ApiDocument, EveryRouteIsDocumented) {
    std::set<std::string> served, documented;
    for (const RouteEntry& entry : route_table()) served.insert(std::string(entry.method) + " " + std::string(entry.path));
    for (const RouteDocument& d : route_documents()) documented.insert(std::string(d.method) + " " + std::string(d.path));
    EXPECT_EQ(served, documented);
}

TEST(ApiDocument, MarkdownNamesEveryField) {
    const std::string text = api_markdown();
    for (const RequestField& field : request_fields())
        EXPECT_NE(text.find("| `" + std::string(field.name) + "` | "), text.npos) << field.name;
    for (const RefusedField& field : refused_fields())
        EXPECT_NE(text.find("| `" + std::string(field.name) + "` | "), text.npos) << field.name;
}

}  // namespace
}  // namespace kylin::server
