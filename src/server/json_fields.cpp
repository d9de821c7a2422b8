#include "server/json_fields.h"

#include <algorithm>
#include <limits>

#include "base/error.h"

namespace kylin::server {
namespace {

[[noreturn]] void refuse(std::string_view name, std::string_view expected, const Json& value) {
    constexpr size_t shown = 40;
    std::string text = dump(value);
    // A number or a word shows what is wrong; a long text would only hide it.
    if (text.size() > shown) text = value.type_name();
    throw InputError(std::string(name), "must be " + std::string(expected) + ", not " + text);
}

}  // namespace

const std::string& as_string(const Json& value, std::string_view name) {
    if (!value.is_string()) refuse(name, "a string", value);
    return value.get_ref<const std::string&>();
}

bool as_bool(const Json& value, std::string_view name) {
    if (!value.is_boolean()) refuse(name, "true or false", value);
    return value.get<bool>();
}

double as_number(const Json& value, std::string_view name) {
    if (!value.is_number()) refuse(name, "a number", value);
    return value.get<double>();
}

int as_int(const Json& value, std::string_view name, int low, int high) {
    const std::string expected = "an integer, " + std::to_string(low) + " .. " + std::to_string(high);
    if (!value.is_number_integer()) refuse(name, expected, value);
    // An unsigned value above the range of int64 would come out negative.
    const bool fits = !value.is_number_unsigned() || value.get<uint64_t>() <= static_cast<uint64_t>(std::numeric_limits<int>::max());
    if (!fits || value.get<int64_t>() < low || value.get<int64_t>() > high) refuse(name, expected, value);
    return value.get<int>();
}

std::vector<int32_t> as_ids(const Json& value, std::string_view name) {
    if (!value.is_array()) refuse(name, "an array of token ids", value);
    std::vector<int32_t> ids;
    ids.reserve(value.size());
    for (const Json& id : value) ids.push_back(as_int(id, name, 0, std::numeric_limits<int32_t>::max()));
    return ids;
}

const Json& as_object(const Json& value, std::string_view name) {
    if (!value.is_object()) refuse(name, "an object", value);
    return value;
}

const std::string& as_identifier(const Json& value, std::string_view name) {
    constexpr size_t most = 64;  // OpenAI's
    const std::string& text = as_string(value, name);
    const bool is_plain = std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    });
    if (text.empty() || text.size() > most || !is_plain) throw InputError(std::string(name), "must be 1 to 64 letters, digits, _ and -");
    return text;
}

const Json& required_member(const Json& object, const char* key, std::string_view where) {
    const auto it = object.find(key);
    if (it == object.end() || it->is_null()) throw InputError(std::string(where) + "." + key, "is missing");
    return *it;
}

}  // namespace kylin::server
