// Values of JSON as C++ types; each throws an InputError that names the field.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "server/json.h"

namespace kylin::server {

const std::string& as_string(const Json& value, std::string_view name);
bool as_bool(const Json& value, std::string_view name);
double as_number(const Json& value, std::string_view name);
int as_int(const Json& value, std::string_view name, int low, int high);
std::vector<int32_t> as_ids(const Json& value, std::string_view name);  // not checked against a vocabulary
const Json& as_object(const Json& value, std::string_view name);
const std::string& as_identifier(const Json& value, std::string_view name);  // 1 to 64 letters, digits, _ and -
// The member of an object that is called `where`.
const Json& required_member(const Json& object, const char* key, std::string_view where);

}  // namespace kylin::server
