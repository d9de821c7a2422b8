// Schemas made at random, and values that satisfy them.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "grammar/json_text.h"
#include "text/unicode.h"

namespace kylin::grammar {

class RandomSchema {
public:
    explicit RandomSchema(Random& random) : random_(random) {
        document_ = schema(3);
        if (!definitions_.empty()) document_["$defs"] = definitions_;
    }
    const Json& document() const { return document_; }
    // Members in the order of declaration, undeclared ones last.
    Json instance() { return instance(document_, 4); }

private:
    bool chance(uint64_t n) { return random_.below(n) == 0; }
    int number(int low, int high) { return low + static_cast<int>(random_.below(static_cast<uint64_t>(high - low + 1))); }

    struct Pattern {
        const char* regex;
        std::vector<const char*> examples;
    };
    static const std::vector<Pattern>& patterns() {
        static const std::vector<Pattern> all = {{"^[a-z]+$", {"a", "hello"}},
                                                 {"^[A-Z]{2}-\\d{3}$", {"KY-123", "ZZ-000"}},
                                                 {"ab", {"ab", "xaby", "\n\"ab\\"}},
                                                 {"^(?:yes|no)?$", {"", "yes", "no"}}};
        return all;
    }

    Json schema(int depth) {
        Json s = Json::object();
        switch (random_.below(depth == 0 ? 6 : 11)) {
            case 0:
                return string_schema();
            case 1:
                return number_schema();
            case 2:
                return {{"type", chance(2) ? "boolean" : "null"}};
            case 3:
                return {{"enum", {"red", 1, Json(), "a\"b", -2.5, true, {{"k", {1, "x"}}}}}};
            case 4:
                return {{"const", chance(2) ? Json("only") : Json(42)}};
            case 5:
                return {{"type", {"integer", "null"}}};
            case 6:
            case 7:
                return object_schema(depth);
            case 8:
                return array_schema(depth);
            case 9:
                return {{"anyOf", {schema(depth - 1), schema(depth - 1)}}};
            default:
                return reference(depth);
        }
    }

    Json string_schema() {
        Json s = {{"type", "string"}};
        if (chance(3)) {
            s["pattern"] = patterns()[random_.below(patterns().size())].regex;
        } else if (chance(2)) {
            s["minLength"] = number(0, 5);
            s["maxLength"] = number(5, 60);
        }
        return s;
    }

    Json number_schema() {
        const bool is_integer = chance(2);
        Json s = {{"type", is_integer ? "integer" : "number"}};
        if (chance(2))
            s[chance(2) ? "minimum" : "exclusiveMinimum"] = is_integer || chance(2) ? Json(number(-50, 20)) : Json(number(-500, 200) / 8.0);
        if (chance(2))
            s[chance(2) ? "maximum" : "exclusiveMaximum"] = is_integer || chance(2) ? Json(number(30, 500)) : Json(number(240, 5000) / 8.0);
        return s;
    }

    Json object_schema(int depth) {
        Json s = {{"type", "object"}};
        if (chance(5)) {
            if (chance(2)) s["additionalProperties"] = schema(depth - 1);
            return s;
        }
        s["properties"] = Json::object();
        Json required = Json::array();
        for (const char* name : {"name", "a", "na", "\xC3\xA9\"", "kind"}) {
            if (chance(2)) continue;
            s["properties"][name] = schema(depth - 1);
            if (chance(2)) required.push_back(name);
        }
        if (!required.empty()) s["required"] = required;
        if (chance(2)) s["additionalProperties"] = chance(2) ? Json(false) : schema(depth - 1);
        if (!s.contains("additionalProperties") && chance(3))
            s["allOf"] = {{{"properties", {{"extra", schema(depth - 1)}}}, {"required", {"extra"}}}};
        return s;
    }

    Json array_schema(int depth) {
        Json s = {{"type", "array"}};
        if (chance(3)) s["prefixItems"] = {schema(depth - 1), schema(depth - 1)};
        if (chance(4) == false) s["items"] = schema(depth - 1);
        if (chance(3)) s["minItems"] = number(0, 3);
        if (chance(3)) s["maxItems"] = number(3, 200);
        return s;
    }

    // Definitions contain themselves where they may end.
    Json reference(int depth) {
        const std::string name = "d" + std::to_string(definitions_.size() % 3), pointer = "#/$defs/" + name;
        if (!definitions_.contains(name)) {
            definitions_[name] = true;  // taken
            const Json again = {{"anyOf", {{{"type", "null"}}, {{"$ref", pointer}}}}};
            definitions_[name] = {
                {"type", "object"}, {"properties", {{"value", schema(depth - 1)}, {"next", again}}}, {"required", {"value"}}};
        }
        return {{"$ref", pointer}};
    }

    Json instance(const Json& s, int depth) {
        if (s.is_boolean() || s.empty()) return chance(2) ? Json("any") : Json({{"x", {1, Json(), "\n"}}});
        if (s.contains("$ref")) return instance(document_.at(Json::json_pointer(s["$ref"].get<std::string>().substr(1))), depth - 1);
        if (s.contains("enum")) return s["enum"][random_.below(s["enum"].size())];
        if (s.contains("const")) return s["const"];
        if (s.contains("anyOf")) return instance(s["anyOf"][depth <= 0 ? 0 : random_.below(s["anyOf"].size())], depth);
        const std::string type = (s["type"].is_array() ? s["type"][random_.below(s["type"].size())] : s["type"]).get<std::string>();
        if (type == "null") return {};
        if (type == "boolean") return chance(2);
        if (type == "string") return string_instance(s);
        if (type == "array") return array_instance(s, depth);
        if (type == "object") return object_instance(s, depth);
        return number_instance(s, type == "integer");
    }

    Json string_instance(const Json& s) {
        if (s.contains("pattern"))
            for (const Pattern& p : patterns())
                if (s["pattern"] == p.regex) return p.examples[random_.below(p.examples.size())];
        const int length = number(s.value("minLength", 0), s.value("maxLength", 12));
        std::u32string text;
        constexpr std::u32string_view some = U"abc \"\\\n\t\u0001/\u00e9\u20ac\U0001F600{}[]:,";
        for (int i = 0; i < length; ++i) text += some[random_.below(some.size())];
        return to_utf8(text);
    }

    Json number_instance(const Json& s, bool is_integer) {
        for (;;) {
            const int k = number(-5000, 50000);
            const Json value = is_integer || chance(3) ? Json(k / 8) : Json(k / 8.0);
            if (s.contains("minimum") && value < s["minimum"]) continue;
            if (s.contains("exclusiveMinimum") && value <= s["exclusiveMinimum"]) continue;
            if (s.contains("maximum") && value > s["maximum"]) continue;
            if (s.contains("exclusiveMaximum") && value >= s["exclusiveMaximum"]) continue;
            return value;
        }
    }

    Json array_instance(const Json& s, int depth) {
        Json items = Json::array();
        const int min = s.value("minItems", 0);
        const int n = number(min, std::min(s.value("maxItems", min + 4), min + 4));
        for (int i = 0; i < n; ++i) {
            const size_t n_prefix = s.contains("prefixItems") ? s["prefixItems"].size() : 0;
            const auto at = static_cast<size_t>(i);
            items.push_back(instance(at < n_prefix ? s["prefixItems"][at] : s.contains("items") ? s["items"] : Json(true), depth - 1));
        }
        return items;
    }

    Json object_instance(const Json& s, int depth) {
        Json members = Json::object();
        const Json required = s.value("required", Json::array());
        if (s.contains("properties"))
            for (const auto& p : s["properties"].items()) {
                const bool must = std::find(required.begin(), required.end(), Json(p.key())) != required.end();
                if (must || (depth > 0 && chance(2))) members[p.key()] = instance(p.value(), depth - 1);
            }
        if (s.contains("allOf")) members["extra"] = instance(s["allOf"][0]["properties"]["extra"], depth - 1);
        const bool is_open = s.contains("additionalProperties") ? s["additionalProperties"] != false : !s.contains("properties");
        if (is_open && depth > 0 && chance(2))
            members["other \xE2\x82\xAC"] =
                instance(s.contains("additionalProperties") ? s["additionalProperties"] : Json(true), depth - 1);
        return members;
    }

    Random& random_;
    Json document_, definitions_ = Json::object();
};

}  // namespace kylin::grammar
