// The filters, tests, methods and functions that templates may use. Each is one entry of a table.
#pragma once
#include <string_view>

#include "text/jinja/run.h"
#include "text/jinja/value.h"

namespace kylin::jinja {

bool is_filter(std::string_view name);
bool is_test(std::string_view name);

// Require a name that the functions above know.
Value apply_filter(std::string_view name, const Value& input, const Arguments& arguments, Run& run);
bool apply_test(std::string_view name, const Value& input, const Arguments& arguments, Run& run);

// The method of a str or dict, bound to it; undefined when it has none of that name. The run must outlive it.
Value find_method(const Value& object, std::string_view name, Run& run);

// range, namespace, dict, raise_exception; undefined for other names. The run must outlive it.
Value find_function(std::string_view name, Run& run);

// What `value` yields in a loop: items, keys, characters.
List iterate(const Value& value, Run& run);
// `needle in haystack`.
bool contains(const Value& haystack, const Value& needle, Run& run);
// object.name or object[name], as templates read members; undefined when there is none.
Value member(const Value& object, std::string_view name, Run& run);

// to_text and equal, paid for.
Text print(const Value& value, Run& run);
bool same(const Value& a, const Value& b, Run& run);

// The value itself, to be put into another one. Fails for a namespace: that could make circles.
const Value& contained(const Value& value, Run& run);

// For reading arguments. They fail for another type.
const Text& need_text(const Value& value, std::string_view what, Run& run);
int64_t need_int(const Value& value, std::string_view what, Run& run);

}  // namespace kylin::jinja
