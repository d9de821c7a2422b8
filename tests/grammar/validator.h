// JSON Schema as its specification reads, for values that exist: nothing is shared with the grammars it judges.
#pragma once
#include <nlohmann/json.hpp>
#include <regex>
#include <string>

namespace kylin {

class Validator {
public:
    using Json = nlohmann::ordered_json;
    explicit Validator(const Json& document) : document_(document) {}
    bool operator()(const Json& value) const { return valid(value, document_); }

private:
    static size_t length(const std::string& text) {
        size_t n = 0;
        for (const char c : text) n += (static_cast<unsigned char>(c) & 0xC0) == 0x80 ? 0 : 1;
        return n;
    }
    static bool same(const Json& a, const Json& b) { return nlohmann::json(a) == nlohmann::json(b); }
    static bool has_type(const Json& value, const std::string& type) {
        if (type == "integer") return value.is_number() && value.get<double>() == std::floor(value.get<double>());
        if (type == "number") return value.is_number();
        if (type == "null") return value.is_null();
        if (type == "boolean") return value.is_boolean();
        if (type == "string") return value.is_string();
        if (type == "array") return value.is_array();
        return type == "object" && value.is_object();
    }
    static bool type_fits(const Json& value, const Json& schema) {
        const Json& type = schema["type"];
        if (value.is_null() && schema.value("nullable", false)) return true;
        if (type.is_string()) return has_type(value, type.get<std::string>());
        return std::any_of(type.begin(), type.end(), [&](const Json& t) { return has_type(value, t.get<std::string>()); });
    }

    bool valid(const Json& v, const Json& s) const {
        if (s.is_boolean()) return s.get<bool>();
        if (s.contains("$ref")) {
            const std::string ref = s["$ref"];
            if (!valid(v, document_.at(Json::json_pointer(ref.substr(1))))) return false;
        }
        if (s.contains("type") && !type_fits(v, s)) return false;
        if (s.contains("const") && !same(v, s["const"])) return false;
        if (s.contains("enum") && std::none_of(s["enum"].begin(), s["enum"].end(), [&](const Json& e) { return same(v, e); })) return false;
        return groups(v, s) && (!v.is_string() || string(v, s)) && (!v.is_number() || number(v, s)) && (!v.is_array() || array(v, s)) &&
               (!v.is_object() || object(v, s));
    }

    bool groups(const Json& v, const Json& s) const {
        const auto n_valid = [&](const char* key) {
            return std::count_if(s[key].begin(), s[key].end(), [&](const Json& option) { return valid(v, option); });
        };
        if (s.contains("allOf") && n_valid("allOf") != static_cast<std::ptrdiff_t>(s["allOf"].size())) return false;
        if (s.contains("anyOf") && n_valid("anyOf") == 0) return false;
        return !s.contains("oneOf") || n_valid("oneOf") == 1;
    }

    static bool string(const Json& v, const Json& s) {
        const std::string text = v;
        if (s.contains("minLength") && length(text) < s["minLength"].get<size_t>()) return false;
        if (s.contains("maxLength") && length(text) > s["maxLength"].get<size_t>()) return false;
        return !s.contains("pattern") || std::regex_search(text, std::regex(s["pattern"].get<std::string>()));
    }

    static bool number(const Json& v, const Json& s) {
        if (s.contains("minimum") && v < s["minimum"]) return false;
        if (s.contains("maximum") && v > s["maximum"]) return false;
        if (s.contains("exclusiveMinimum") && v <= s["exclusiveMinimum"]) return false;
        return !s.contains("exclusiveMaximum") || v < s["exclusiveMaximum"];
    }

    bool array(const Json& v, const Json& s) const {
        if (s.contains("minItems") && v.size() < s["minItems"].get<size_t>()) return false;
        if (s.contains("maxItems") && v.size() > s["maxItems"].get<size_t>()) return false;
        const size_t n_prefix = s.contains("prefixItems") ? s["prefixItems"].size() : 0;
        for (size_t i = 0; i < v.size(); ++i) {
            if (i < n_prefix && !valid(v[i], s["prefixItems"][i])) return false;
            if (i >= n_prefix && s.contains("items") && !valid(v[i], s["items"])) return false;
        }
        return true;
    }

    bool object(const Json& v, const Json& s) const {
        if (s.contains("required"))
            for (const Json& name : s["required"])
                if (!v.contains(name.get<std::string>())) return false;
        if (s.contains("minProperties") && v.size() < s["minProperties"].get<size_t>()) return false;
        if (s.contains("maxProperties") && v.size() > s["maxProperties"].get<size_t>()) return false;
        for (const auto& member : v.items()) {
            const bool is_declared = s.contains("properties") && s["properties"].contains(member.key());
            if (is_declared && !valid(member.value(), s["properties"][member.key()])) return false;
            if (!is_declared && s.contains("additionalProperties") && !valid(member.value(), s["additionalProperties"])) return false;
            if (s.contains("propertyNames") && !valid(member.key(), s["propertyNames"])) return false;
        }
        return true;
    }

    const Json& document_;
};

}  // namespace kylin
