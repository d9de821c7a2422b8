// The tests: what may follow "is".
#include <algorithm>

#include "text/jinja/builtins.h"
#include "text/jinja/text_operations.h"

namespace kylin::jinja {
namespace {

using Check = bool (*)(const Value& value, const Arguments& arguments, Run& run);

const Value& operand(const Arguments& a, Run& run) {
    if (a.positional.empty()) run.fail("a test lacks its argument");
    return a.positional[0];
}

bool is_less(const Value& x, const Value& y, Run& run) {
    const auto result = less(x, y);
    if (!result) run.fail("values of types " + std::string(x.type_name()) + " and " + std::string(y.type_name()) + " have no order");
    return *result;
}

int64_t remainder_of(const Value& value, int64_t divisor, Run& run) {
    if (divisor == 0) run.fail("division by zero");
    return divisor == -1 ? 0 : need_int(value, "the number", run) % divisor;
}

bool is_equal(const Value& v, const Arguments& a, Run& run) { return same(v, operand(a, run), run); }
bool is_not_equal(const Value& v, const Arguments& a, Run& run) { return !same(v, operand(a, run), run); }
bool less_than(const Value& v, const Arguments& a, Run& run) { return is_less(v, operand(a, run), run); }
bool greater_than(const Value& v, const Arguments& a, Run& run) { return is_less(operand(a, run), v, run); }
bool at_most(const Value& v, const Arguments& a, Run& run) { return less_than(v, a, run) || is_equal(v, a, run); }
bool at_least(const Value& v, const Arguments& a, Run& run) { return greater_than(v, a, run) || is_equal(v, a, run); }
bool is_sequence(const Value& v, const Arguments&, Run&) { return v.as_text() || v.as_list() || v.as_dict() || v.is_undefined(); }
// Identity: of scalars, the same type and value.
bool same_as(const Value& v, const Arguments& a, Run& run) {
    return v.type_name() == operand(a, run).type_name() && same(v, operand(a, run), run);
}

// Letters of one case only, and at least one.
template <Text (*change)(const Text&), Text (*opposite)(const Text&)>
bool has_case(const Value& v, Run& run) {
    const Text text = print(v, run);
    return change(text).bytes() == text.bytes() && opposite(text).bytes() != text.bytes();
}

struct Entry {
    std::string_view name;
    Check check;
};
constexpr Entry tests[] = {
    {"!=", is_not_equal},
    {"<", less_than},
    {"<=", at_most},
    {"==", is_equal},
    {">", greater_than},
    {">=", at_least},
    {"boolean", [](const Value& v, const Arguments&, Run&) { return v.as_bool() != nullptr; }},
    {"callable", [](const Value& v, const Arguments&, Run&) { return v.as_function() != nullptr; }},
    {"defined", [](const Value& v, const Arguments&, Run&) { return !v.is_undefined(); }},
    {"divisibleby",
     [](const Value& v, const Arguments& a, Run& run) { return remainder_of(v, need_int(operand(a, run), "the divisor", run), run) == 0; }},
    {"eq", is_equal},
    {"equalto", is_equal},
    {"even", [](const Value& v, const Arguments&, Run& run) { return remainder_of(v, 2, run) == 0; }},
    {"false", [](const Value& v, const Arguments&, Run&) { return v.as_bool() && !*v.as_bool(); }},
    {"float", [](const Value& v, const Arguments&, Run&) { return v.as_float() != nullptr; }},
    {"ge", at_least},
    {"greaterthan", greater_than},
    {"gt", greater_than},
    {"in", [](const Value& v, const Arguments& a, Run& run) { return contains(operand(a, run), v, run); }},
    {"integer", [](const Value& v, const Arguments&, Run&) { return v.as_int() != nullptr; }},
    {"iterable", is_sequence},
    {"le", at_most},
    {"lessthan", less_than},
    {"lower", [](const Value& v, const Arguments&, Run& run) { return has_case<lower, upper>(v, run); }},
    {"lt", less_than},
    {"mapping", [](const Value& v, const Arguments&, Run&) { return v.as_dict() != nullptr; }},
    {"ne", is_not_equal},
    {"none", [](const Value& v, const Arguments&, Run&) { return v.is_none(); }},
    {"number", [](const Value& v, const Arguments&, Run&) { return v.is_number(); }},
    {"odd", [](const Value& v, const Arguments&, Run& run) { return remainder_of(v, 2, run) != 0; }},
    {"sameas", same_as},
    {"sequence", is_sequence},
    {"string", [](const Value& v, const Arguments&, Run&) { return v.as_text() != nullptr; }},
    {"true", [](const Value& v, const Arguments&, Run&) { return v.as_bool() && *v.as_bool(); }},
    {"undefined", [](const Value& v, const Arguments&, Run&) { return v.is_undefined(); }},
    {"upper", [](const Value& v, const Arguments&, Run& run) { return has_case<upper, lower>(v, run); }},
};

const Entry* find(std::string_view name) {
    const auto at = std::find_if(std::begin(tests), std::end(tests), [&](const Entry& e) { return e.name == name; });
    return at == std::end(tests) ? nullptr : at;
}

}  // namespace

bool is_test(std::string_view name) { return find(name) != nullptr; }

bool apply_test(std::string_view name, const Value& input, const Arguments& arguments, Run& run) {
    return find(name)->check(input, arguments, run);
}

}  // namespace kylin::jinja
