// The methods of str and dict, and the global functions.
#include <algorithm>

#include "text/jinja/builtins.h"
#include "text/jinja/python_text.h"
#include "text/jinja/text_operations.h"

namespace kylin::jinja {
namespace {

using TextMethod = Value (*)(const Text& self, const Arguments& arguments, Run& run);
using DictMethod = Value (*)(const Dict& self, const Arguments& arguments, Run& run);

const Text& text_argument(const Arguments& a, size_t at, Run& run) {
    if (at >= a.positional.size()) run.fail("a method lacks an argument");
    return need_text(a.positional[at], "the argument of a method", run);
}

// nullptr when it is absent or none.
const Text* optional_text(const Arguments& a, size_t at, std::string_view name, Run& run) {
    const Value* value = a.find(at, name);
    return value && !value->is_none() ? &need_text(*value, "the argument of a method", run) : nullptr;
}

std::optional<int64_t> optional_int(const Arguments& a, size_t at, std::string_view name, Run& run) {
    const Value* value = a.find(at, name);
    if (!value || value->is_none()) return std::nullopt;
    return need_int(*value, "the argument of a method", run);
}

// startswith and endswith also take several candidates.
template <class Fits>
Value fits_any(const Arguments& a, Run& run, Fits fits) {
    if (a.positional.size() == 1 && a.positional[0].as_list()) {
        const auto& candidates = a.positional[0].as_list()->items;
        return Value(std::any_of(candidates.begin(), candidates.end(),
                                 [&](const Value& c) { return fits(need_text(c, "a candidate", run).bytes()); }));
    }
    return Value(static_cast<bool>(fits(text_argument(a, 0, run).bytes())));
}

template <bool left, bool right>
Value stripped(const Text& self, const Arguments& a, Run& run) {
    return strip(self, optional_text(a, 0, "chars", run), left, right);
}

// Counted in characters, as Python does.
Value place(const Text& self, size_t at) {
    return Value(at == std::string::npos ? int64_t{-1}
                                         : static_cast<int64_t>(count_characters(std::string_view(self.bytes()).substr(0, at))));
}

// True for a text that is not empty and has only characters of that kind.
template <class Belongs>
Value only(const Text& self, Belongs belongs) {
    return Value(!self.empty() && leading(self.bytes(), belongs) == self.size());
}

Value count(const Text& self, const Arguments& a, Run& run) {
    const std::string& needle = text_argument(a, 0, run).bytes();
    if (needle.empty()) return Value(static_cast<int64_t>(count_characters(self.bytes())) + 1);
    int64_t n = 0;
    for (size_t at = self.bytes().find(needle); at != std::string::npos; at = self.bytes().find(needle, at + needle.size())) ++n;
    return Value(n);
}

Value join_method(const Text& self, const Arguments& a, Run& run) {
    if (a.positional.empty()) run.fail("join lacks its argument");
    const List items = iterate(a.positional[0], run);
    for (const Value& item : items.items) need_text(item, "an item of join", run);
    return join(items, self, run);
}

template <class Method>
struct Entry {
    std::string_view name;
    Method method;
};

constexpr Entry<TextMethod> text_methods[] = {
    {"capitalize", [](const Text& s, const Arguments&, Run&) -> Value { return capitalize(s); }},
    {"count", count},
    {"endswith", [](const Text& s, const Arguments& a,
                    Run& run) { return fits_any(a, run, [&](const std::string& e) { return s.bytes().ends_with(e); }); }},
    {"find", [](const Text& s, const Arguments& a, Run& run) { return place(s, s.bytes().find(text_argument(a, 0, run).bytes())); }},
    {"isalpha", [](const Text& s, const Arguments&, Run&) { return only(s, [](char32_t c) { return class_of(c) == CharClass::letter; }); }},
    {"isdigit", [](const Text& s, const Arguments&, Run&) { return only(s, [](char32_t c) { return c >= '0' && c <= '9'; }); }},
    {"isspace", [](const Text& s, const Arguments&, Run&) { return only(s, is_python_space); }},
    {"join", join_method},
    {"lower", [](const Text& s, const Arguments&, Run&) -> Value { return lower(s); }},
    {"lstrip", stripped<true, false>},
    {"removeprefix",
     [](const Text& s, const Arguments& a, Run& run) -> Value {
         const std::string& prefix = text_argument(a, 0, run).bytes();
         return s.bytes().starts_with(prefix) ? s.substr(prefix.size()) : s;
     }},
    {"removesuffix",
     [](const Text& s, const Arguments& a, Run& run) -> Value {
         const std::string& suffix = text_argument(a, 0, run).bytes();
         return s.bytes().ends_with(suffix) ? s.substr(0, s.size() - suffix.size()) : s;
     }},
    {"replace",
     [](const Text& s, const Arguments& a, Run& run) -> Value {
         return replace(s, text_argument(a, 0, run), text_argument(a, 1, run), optional_int(a, 2, "count", run), run);
     }},
    {"rfind", [](const Text& s, const Arguments& a, Run& run) { return place(s, s.bytes().rfind(text_argument(a, 0, run).bytes())); }},
    {"rsplit",
     [](const Text& s, const Arguments& a, Run& run) -> Value {
         return split_right(s, optional_text(a, 0, "sep", run), optional_int(a, 1, "maxsplit", run), run);
     }},
    {"rstrip", stripped<false, true>},
    {"split",
     [](const Text& s, const Arguments& a, Run& run) -> Value {
         return split(s, optional_text(a, 0, "sep", run), optional_int(a, 1, "maxsplit", run), run);
     }},
    {"splitlines",
     [](const Text& s, const Arguments& a, Run& run) -> Value {
         const Value* keep = a.find(0, "keepends");
         return split_lines(s, keep && keep->truth(), run);
     }},
    {"startswith", [](const Text& s, const Arguments& a,
                      Run& run) { return fits_any(a, run, [&](const std::string& b) { return s.bytes().starts_with(b); }); }},
    {"strip", stripped<true, true>},
    {"title", [](const Text& s, const Arguments&, Run&) -> Value { return title(s); }},
    {"upper", [](const Text& s, const Arguments&, Run&) -> Value { return upper(s); }},
};

template <int part>  // 0 keys, 1 values, 2 both
Value dict_items(const Dict& self, const Arguments&, Run& run) {
    run.spend(self.items.size() * 4);
    List out;
    for (const auto& [key, value] : self.items) out.items.push_back(part == 0 ? key : part == 1 ? value : Value(List{{key, value}, true}));
    return out;
}

Value get(const Dict& self, const Arguments& a, Run& run) {
    if (a.positional.empty()) run.fail("get lacks its argument");
    run.spend(self.items.size() / 16);
    const Value *found = self.find(a.positional[0]), *otherwise = a.find(1, "default");
    return found ? *found : otherwise ? *otherwise : Value(None{});
}

constexpr Entry<DictMethod> dict_methods[] = {
    {"get", get},
    {"items", dict_items<2>},
    {"keys", dict_items<0>},
    {"values", dict_items<1>},
};

template <class Table>
auto find_entry(const Table& table, std::string_view name) {
    const auto at = std::find_if(std::begin(table), std::end(table), [&](const auto& e) { return e.name == name; });
    return at == std::end(table) ? nullptr : at;
}

Value range(const Arguments& a, Run& run) {
    const auto at = [&](size_t i) { return need_int(a.positional[i], "an argument of range", run); };
    const size_t n = a.positional.size();
    if (n < 1 || n > 3) run.fail("range takes one to three arguments");
    const int64_t start = n == 1 ? 0 : at(0), stop = n == 1 ? at(0) : at(1), step = n == 3 ? at(2) : 1;
    if (step == 0) run.fail("the step of range is zero");
    constexpr size_t max_items = 100'000;  // the limit of Jinja's sandbox
    List list;
    for (int64_t i = start; step > 0 ? i < stop : i > stop;) {
        if (list.items.size() == max_items) run.fail("a range is too long");
        list.items.emplace_back(i);
        if (__builtin_add_overflow(i, step, &i)) break;
    }
    return list;
}

Value make_namespace(const Arguments& a, Run& run) {
    auto space = std::make_shared<Namespace>();
    if (!a.positional.empty()) run.fail("namespace takes arguments by name only");
    for (const auto& [name, value] : a.named) space->items.emplace_back(name, contained(value, run));
    return space;
}

Value make_dict(const Arguments& a, Run& run) {
    if (!a.positional.empty()) run.fail("dict takes arguments by name only");
    Dict dict;
    for (const auto& [name, value] : a.named) dict.set(Value::source(name), contained(value, run));
    return dict;
}

Value raise_exception(const Arguments& a, Run& run) {
    run.fail("the template refuses this conversation: " + (a.positional.empty() ? std::string() : print(a.positional[0], run).bytes()));
}

constexpr Entry<Value (*)(const Arguments&, Run&)> functions[] = {
    {"dict", make_dict},
    {"namespace", make_namespace},
    {"raise_exception", raise_exception},
    {"range", range},
};

}  // namespace

Value find_method(const Value& object, std::string_view name, Run& run) {
    if (object.as_text()) {
        if (const auto* entry = find_entry(text_methods, name))
            return Function([entry, object, &run](const Arguments& a) { return entry->method(*object.as_text(), a, run); });
    } else if (object.as_dict()) {
        if (const auto* entry = find_entry(dict_methods, name))
            return Function([entry, object, &run](const Arguments& a) { return entry->method(*object.as_dict(), a, run); });
    }
    return {};
}

Value find_function(std::string_view name, Run& run) {
    if (const auto* entry = find_entry(functions, name))
        return Function([entry, &run](const Arguments& a) { return entry->method(a, run); });
    return {};
}

}  // namespace kylin::jinja
