// The filters.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "text/jinja/builtins.h"
#include "text/jinja/python_text.h"
#include "text/jinja/text_operations.h"

namespace kylin::jinja {
namespace {

using Apply = Value (*)(const Value& input, const Arguments& arguments, Run& run);

// ---- arguments

bool flag(const Arguments& a, size_t at, std::string_view name) {
    const Value* value = a.find(at, name);
    return value && value->truth();
}

Text text_argument(const Arguments& a, size_t at, std::string_view name, std::string_view otherwise, Run& run) {
    const Value* value = a.find(at, name);
    return value ? need_text(*value, "the argument '" + std::string(name) + "'", run) : Text(otherwise, Origin::source);
}

std::optional<int64_t> int_argument(const Arguments& a, size_t at, std::string_view name, Run& run) {
    const Value* value = a.find(at, name);
    if (!value || value->is_none()) return std::nullopt;
    return need_int(*value, "the argument '" + std::string(name) + "'", run);
}

Arguments without_first(const Arguments& a, size_t n) {
    return {{a.positional.begin() + static_cast<std::ptrdiff_t>(std::min(n, a.positional.size())), a.positional.end()}, a.named};
}

// What map, select and reject go through: as in Jinja, anything false has no items.
List items_if_any(const Value& value, Run& run) { return value.truth() ? iterate(value, run) : List{}; }

// "a.b.0" names a member of a member.
Value read_path(const Value& item, const Value& path, Run& run) {
    Value value = item;
    for (const Value& part : split(print(path, run), &*Value::source(".").as_text(), std::nullopt, run).items) {
        const std::string& name = part.as_text()->bytes();
        int64_t index = 0;
        const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), index);
        const List* list = value.as_list();
        if (list && error == std::errc() && end == name.data() + name.size())
            value = index >= 0 && index < static_cast<int64_t>(list->items.size()) ? list->items[static_cast<size_t>(index)] : Value();
        else
            value = member(value, name, run);
    }
    return value;
}

Value fold_case(const Value& value) { return value.as_text() ? Value(lower(*value.as_text())) : value; }

// ---- sequences

Value first(const Value& input, const Arguments&, Run& run) {
    const List items = iterate(input, run);
    return items.items.empty() ? Value() : items.items.front();
}

Value last(const Value& input, const Arguments&, Run& run) {
    const List items = iterate(input, run);
    return items.items.empty() ? Value() : items.items.back();
}

Value length(const Value& input, const Arguments&, Run& run) {
    if (const Text* text = input.as_text()) return Value(static_cast<int64_t>(count_characters(text->bytes())));
    if (const List* items = input.as_list()) return Value(static_cast<int64_t>(items->items.size()));
    return Value(static_cast<int64_t>(iterate(input, run).items.size()));
}

Value list(const Value& input, const Arguments&, Run& run) { return iterate(input, run); }

Value reverse(const Value& input, const Arguments&, Run& run) {
    List items = iterate(input, run);
    std::reverse(items.items.begin(), items.items.end());
    return input.as_text() ? Value(join(items, {}, run)) : Value(std::move(items));
}

Value items(const Value& input, const Arguments&, Run& run) {
    List pairs;
    if (input.is_undefined()) return pairs;
    if (!input.as_dict()) run.fail("items needs a dict, not " + std::string(input.type_name()));
    run.spend(input.width());
    for (const auto& [key, value] : input.as_dict()->items) pairs.items.push_back(List{{key, value}, true});
    return pairs;
}

Value join_items(const Value& input, const Arguments& a, Run& run) {
    List parts = iterate(input, run);
    if (const Value* attribute = a.find(1, "attribute"))
        for (Value& part : parts.items) part = read_path(part, *attribute, run);
    const Value* separator = a.find(0, "d");
    return join(parts, separator ? print(*separator, run) : Text(), run);
}

void sort_by(std::vector<std::pair<Value, Value>>& keyed, bool descending, Run& run) {
    run.spend(keyed.size() * 16);
    const auto before = [&](const Value& x, const Value& y) {
        const auto result = less(x, y);
        if (!result) run.fail("values of types " + std::string(x.type_name()) + " and " + std::string(y.type_name()) + " have no order");
        return *result;
    };
    std::stable_sort(keyed.begin(), keyed.end(),
                     [&](const auto& x, const auto& y) { return descending ? before(y.first, x.first) : before(x.first, y.first); });
}

Value sort(const Value& input, const Arguments& a, Run& run) {
    const Value* attribute = a.find(2, "attribute");
    std::vector<std::pair<Value, Value>> keyed;
    for (const Value& item : iterate(input, run).items) {
        const Value key = attribute ? read_path(item, *attribute, run) : item;
        keyed.emplace_back(flag(a, 1, "case_sensitive") ? key : fold_case(key), item);
    }
    sort_by(keyed, flag(a, 0, "reverse"), run);
    List sorted;
    for (auto& [key, item] : keyed) sorted.items.push_back(std::move(item));
    return sorted;
}

Value dictsort(const Value& input, const Arguments& a, Run& run) {
    const Value pairs = items(input, {}, run);
    const size_t part = text_argument(a, 1, "by", "key", run).bytes() == "value" ? 1 : 0;
    std::vector<std::pair<Value, Value>> keyed;
    for (const Value& pair : pairs.as_list()->items) {
        const Value& key = pair.as_list()->items[part];
        keyed.emplace_back(flag(a, 0, "case_sensitive") ? key : fold_case(key), pair);
    }
    sort_by(keyed, flag(a, 2, "reverse"), run);
    List sorted;
    for (auto& [key, pair] : keyed) sorted.items.push_back(std::move(pair));
    return sorted;
}

Value unique(const Value& input, const Arguments& a, Run& run) {
    List seen, kept;
    const Value* attribute = a.find(1, "attribute");
    for (const Value& item : iterate(input, run).items) {
        Value key = attribute ? read_path(item, *attribute, run) : item;
        if (!flag(a, 0, "case_sensitive")) key = fold_case(key);
        if (std::any_of(seen.items.begin(), seen.items.end(), [&](const Value& other) { return same(key, other, run); })) continue;
        seen.items.push_back(key);
        kept.items.push_back(item);
    }
    return kept;
}

Value map(const Value& input, const Arguments& a, Run& run) {
    List mapped;
    const Value* attribute = a.positional.empty() ? a.find(0, "attribute") : nullptr;
    if (!attribute && a.positional.empty()) run.fail("map needs a filter or an attribute");
    const std::string name = attribute ? "" : need_text(a.positional[0], "the filter", run).bytes();
    if (!attribute && !is_filter(name)) run.fail("the filter '" + name + "' is not supported");
    for (const Value& item : items_if_any(input, run).items) {
        run.spend(1);
        Value value = attribute ? read_path(item, *attribute, run) : apply_filter(name, item, without_first(a, 1), run);
        const Value* otherwise = attribute ? a.find(1, "default") : nullptr;
        if (value.is_undefined() && otherwise) value = *otherwise;
        mapped.items.push_back(std::move(value));
    }
    return mapped;
}

// select, reject: by a test of the item; selectattr, rejectattr: by a test of its member. Without a test, by truth.
List pick(const Value& input, const Arguments& a, Run& run, bool by_attribute, bool keep) {
    const size_t test_at = by_attribute ? 1 : 0;
    if (a.positional.size() < test_at) run.fail("selectattr and rejectattr need an attribute");
    std::string test;
    if (a.positional.size() > test_at) {
        test = need_text(a.positional[test_at], "the test", run).bytes();
        if (!is_test(test)) run.fail("the test '" + test + "' is not supported");
    }
    List picked;
    for (const Value& item : items_if_any(input, run).items) {
        run.spend(1);
        const Value subject = by_attribute ? read_path(item, a.positional[0], run) : item;
        const bool passes = test.empty() ? subject.truth() : apply_test(test, subject, without_first(a, test_at + 1), run);
        if (passes == keep) picked.items.push_back(item);
    }
    return picked;
}

template <bool by_attribute, bool keep>
Value picked(const Value& input, const Arguments& a, Run& run) {
    return pick(input, a, run, by_attribute, keep);
}

template <bool largest>
Value extreme(const Value& input, const Arguments& a, Run& run) {
    Value best, best_key;
    const Value* attribute = a.find(1, "attribute");
    for (const Value& item : iterate(input, run).items) {
        Value key = attribute ? read_path(item, *attribute, run) : item;
        if (!flag(a, 0, "case_sensitive")) key = fold_case(key);
        const auto better = best.is_undefined() ? std::optional(true) : largest ? less(best_key, key) : less(key, best_key);
        if (!better) run.fail("the values have no order");
        if (!*better) continue;
        best = item;
        best_key = key;
    }
    return best;
}

// ---- numbers

Value absolute(const Value& input, const Arguments&, Run& run) {
    if (const auto n = input.integer()) {
        if (*n == std::numeric_limits<int64_t>::min()) run.fail("a number is too large");
        return Value(*n < 0 ? -*n : *n);
    }
    const auto x = input.number();
    if (!x) run.fail("abs needs a number");
    return Value(std::fabs(*x));
}

Value round_number(const Value& input, const Arguments& a, Run& run) {
    const auto x = input.number();
    if (!x) run.fail("round needs a number");
    const double scale = std::pow(10.0, static_cast<double>(int_argument(a, 0, "precision", run).value_or(0)));
    const std::string method = text_argument(a, 1, "method", "common", run).bytes();
    if (method == "common" && input.integer() && scale >= 1) return Value(*input.integer());
    if (method == "ceil") return Value(std::ceil(*x * scale) / scale);
    if (method == "floor") return Value(std::floor(*x * scale) / scale);
    return Value(std::nearbyint(*x * scale) / scale);  // Python's round(): halves go to the even neighbour
}

// The number that all of the text is, without the spaces around it.
std::optional<double> parse_float(const Text& text) {
    const std::string digits = strip(text, nullptr, true, true).bytes();
    double x = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), x);
    if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
    return x;
}

Value to_int(const Value& input, const Arguments& a, Run&) {
    const Value* otherwise = a.find(0, "default");
    Value fallback = otherwise ? *otherwise : Value(int64_t{0});
    if (const auto n = input.integer()) return Value(*n);
    if (const Text* text = input.as_text()) {
        const std::string digits = strip(*text, nullptr, true, true).bytes();
        int64_t n = 0;
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), n);
        if (error == std::errc() && end == digits.data() + digits.size()) return Value(n);
    }
    const auto x = input.as_text() ? parse_float(*input.as_text()) : input.number();
    constexpr double limit = 9.2e18;
    if (!x || !(std::fabs(*x) < limit)) return fallback;
    return Value(static_cast<int64_t>(*x));
}

Value to_float(const Value& input, const Arguments& a, Run&) {
    const Value* otherwise = a.find(0, "default");
    const auto x = input.as_text() ? parse_float(*input.as_text()) : input.number();
    return x ? Value(*x) : otherwise ? *otherwise : Value(0.0);
}

Value sum(const Value& input, const Arguments& a, Run& run) {
    const Value* attribute = a.find(0, "attribute");
    int64_t whole = 0;
    double real = 0;
    bool is_whole = true;
    for (const Value& item : iterate(input, run).items) {
        const Value value = attribute ? read_path(item, *attribute, run) : item;
        if (!value.number()) run.fail("sum needs numbers");
        real += *value.number();
        is_whole = is_whole && value.integer();
        if (is_whole && __builtin_add_overflow(whole, *value.integer(), &whole)) run.fail("a number is too large");
    }
    return is_whole ? Value(whole) : Value(real);
}

// ---- text

template <Text (*change)(const Text&)>
Value changed(const Value& input, const Arguments&, Run& run) {
    return change(print(input, run));
}

Value trim(const Value& input, const Arguments& a, Run& run) {
    const Value* characters = a.find(0, "chars");
    return strip(print(input, run), characters ? &need_text(*characters, "the characters", run) : nullptr, true, true);
}

Value replace_text(const Value& input, const Arguments& a, Run& run) {
    const Value *old = a.find(0, "old"), *with = a.find(1, "new");
    if (!old || !with) run.fail("replace needs two arguments");
    return replace(print(input, run), print(*old, run), print(*with, run), int_argument(a, 2, "count", run), run);
}

Value indent_text(const Value& input, const Arguments& a, Run& run) {
    const Value* width = a.find(0, "width");
    const Text prefix = width && width->as_text() ? *width->as_text()
                                                  : repeat(Text(" ", Origin::source), int_argument(a, 0, "width", run).value_or(4), run);
    return indent(print(input, run), prefix, flag(a, 1, "first"), flag(a, 2, "blank"), run);
}

Value string(const Value& input, const Arguments&, Run& run) { return print(input, run); }

Value tojson(const Value& input, const Arguments& a, Run& run) {
    // The parameters of transformers' tojson: ensure_ascii, indent.
    const auto width = int_argument(a, 1, "indent", run);
    constexpr int64_t max_indent = 64;
    if (width && *width > max_indent) run.fail("the indent is too large");
    run.spend(input.weight());
    auto text = to_json(input, {width, flag(a, 0, "ensure_ascii")});
    if (!text) run.fail("a value of type " + std::string(input.type_name()) + " has no JSON form");
    return std::move(*text);
}

Value otherwise(const Value& input, const Arguments& a, Run&) {
    const Value* value = a.find(0, "default_value");
    const bool replaced = input.is_undefined() || (flag(a, 1, "boolean") && !input.truth());
    return !replaced ? input : value ? *value : Value::source("");
}

struct Entry {
    std::string_view name;
    Apply apply;
};
constexpr Entry filters[] = {
    {"abs", absolute},
    {"capitalize", changed<capitalize>},
    {"count", length},
    {"d", otherwise},
    {"default", otherwise},
    {"dictsort", dictsort},
    {"first", first},
    {"float", to_float},
    {"indent", indent_text},
    {"int", to_int},
    {"items", items},
    {"join", join_items},
    {"last", last},
    {"length", length},
    {"list", list},
    {"lower", changed<lower>},
    {"map", map},
    {"max", extreme<true>},
    {"min", extreme<false>},
    {"reject", picked<false, false>},
    {"rejectattr", picked<true, false>},
    {"replace", replace_text},
    {"reverse", reverse},
    {"round", round_number},
    {"safe", string},
    {"select", picked<false, true>},
    {"selectattr", picked<true, true>},
    {"sort", sort},
    {"string", string},
    {"sum", sum},
    {"title", changed<title>},
    {"tojson", tojson},
    {"trim", trim},
    {"unique", unique},
    {"upper", changed<upper>},
};

const Entry* find(std::string_view name) {
    const auto at = std::find_if(std::begin(filters), std::end(filters), [&](const Entry& e) { return e.name == name; });
    return at == std::end(filters) ? nullptr : at;
}

}  // namespace

bool is_filter(std::string_view name) { return find(name) != nullptr; }

Value apply_filter(std::string_view name, const Value& input, const Arguments& arguments, Run& run) {
    const Run::Level level(run);  // map can apply map
    return find(name)->apply(input, arguments, run);
}

}  // namespace kylin::jinja
