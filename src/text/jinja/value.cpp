// Comparison, conversion from JSON, and the sizes of values.
#include "text/jinja/value.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "text/unicode.h"

namespace kylin::jinja {
namespace {

// Bytes of text that cost as much as one item.
constexpr size_t bytes_per_step = 16;

// A list that holds itself twice, a hundred times over, weighs 2^100.
size_t saturating_sum(size_t a, size_t b) { return std::min(a + b, size_t{1} << 62); }

bool equal_lists(const List& a, const List& b) {
    return a.is_tuple == b.is_tuple && std::equal(a.items.begin(), a.items.end(), b.items.begin(), b.items.end(), equal);
}

bool equal_dicts(const Dict& a, const Dict& b) {
    if (a.items.size() != b.items.size()) return false;
    return std::all_of(a.items.begin(), a.items.end(), [&](const auto& item) {
        const Value* other = b.find(item.first);
        return other && equal(item.second, *other);
    });
}

}  // namespace

Value::Value(List list) {
    list.depth = 1;
    list.weight = 1;
    for (const Value& v : list.items) {
        list.depth = std::max(list.depth, 1 + v.depth());
        list.weight = saturating_sum(list.weight, v.weight());
    }
    v_ = std::make_shared<const List>(std::move(list));
}

Value::Value(Dict dict) {
    dict.depth = 1;
    dict.weight = 1;
    for (const auto& [key, value] : dict.items) {
        dict.depth = std::max({dict.depth, 1 + key.depth(), 1 + value.depth()});
        dict.weight = saturating_sum(dict.weight, saturating_sum(key.weight(), value.weight()));
    }
    v_ = std::make_shared<const Dict>(std::move(dict));
}

std::optional<int64_t> Value::integer() const {
    if (const bool* b = as_bool()) return *b ? 1 : 0;
    if (const int64_t* n = as_int()) return *n;
    return std::nullopt;
}

std::optional<double> Value::number() const {
    if (const double* x = as_float()) return *x;
    if (const auto n = integer()) return static_cast<double>(*n);
    return std::nullopt;
}

bool Value::truth() const {
    if (is_undefined() || is_none()) return false;
    if (const auto x = number()) return *x != 0;
    if (const Text* text = as_text()) return !text->empty();
    if (const List* list = as_list()) return !list->items.empty();
    if (const Dict* dict = as_dict()) return !dict->items.empty();
    return true;
}

std::string_view Value::type_name() const {
    constexpr std::string_view names[] = {"Undefined", "NoneType", "bool", "int", "float", "str", "list", "dict", "Namespace", "function"};
    static_assert(std::size(names) == std::variant_size_v<Variant>);
    return names[v_.index()];
}

int Value::depth() const {
    if (const List* list = as_list()) return list->depth;
    if (const Dict* dict = as_dict()) return dict->depth;
    return 0;
}

size_t Value::width() const {
    if (const Text* text = as_text()) return 1 + text->size() / bytes_per_step;
    if (const List* list = as_list()) return 1 + list->items.size() * 2;
    if (const Dict* dict = as_dict()) return 1 + dict->items.size() * 4;
    return 1;
}

size_t Value::weight() const {
    if (const List* list = as_list()) return list->weight;
    if (const Dict* dict = as_dict()) return dict->weight;
    return width();
}

const Value* Dict::find(const Value& key) const {
    const auto at = std::find_if(items.begin(), items.end(), [&](const auto& item) { return equal(item.first, key); });
    return at == items.end() ? nullptr : &at->second;
}

const Value* Dict::find(std::string_view key) const {
    const auto at = std::find_if(items.begin(), items.end(), [&](const auto& item) {
        const Text* text = item.first.as_text();
        return text && text->bytes() == key;
    });
    return at == items.end() ? nullptr : &at->second;
}

void Dict::set(Value key, Value value) {
    const auto at = std::find_if(items.begin(), items.end(), [&](const auto& item) { return equal(item.first, key); });
    if (at == items.end())
        items.emplace_back(std::move(key), std::move(value));
    else
        at->second = std::move(value);
}

const Value* Arguments::find(size_t at, std::string_view name) const {
    if (at < positional.size()) return &positional[at];
    const auto found = std::find_if(named.begin(), named.end(), [&](const auto& argument) { return argument.first == name; });
    return found == named.end() ? nullptr : &found->second;
}

bool equal(const Value& a, const Value& b) {
    if (a.is_number() && b.is_number()) return a.integer() && b.integer() ? *a.integer() == *b.integer() : *a.number() == *b.number();
    if (a.type_name() != b.type_name()) return false;
    if (const Text* text = a.as_text()) return text->bytes() == b.as_text()->bytes();
    if (const List* list = a.as_list()) return equal_lists(*list, *b.as_list());
    if (const Dict* dict = a.as_dict()) return equal_dicts(*dict, *b.as_dict());
    if (a.as_namespace()) return a.as_namespace() == b.as_namespace();
    if (a.as_function()) return a.as_function() == b.as_function();
    return true;  // both undefined, or both None
}

std::optional<bool> less(const Value& a, const Value& b) {
    if (a.integer() && b.integer()) return *a.integer() < *b.integer();
    if (a.number() && b.number()) return *a.number() < *b.number();
    // The order of UTF-8 bytes is the order of code points.
    if (a.as_text() && b.as_text()) return a.as_text()->bytes() < b.as_text()->bytes();
    return std::nullopt;
}

Value from_json(const nlohmann::ordered_json& json, int max_depth) {
    if (max_depth < 0) throw InputError("chat template", "the values given to it are nested too deeply");
    const auto text = [](const std::string& s) { return Text(to_valid_utf8(s), Origin::content); };
    if (json.is_string()) return text(json.get_ref<const std::string&>());
    if (json.is_boolean()) return Value(json.get<bool>());
    if (json.is_number_unsigned() && json.get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
        return Value(json.get<double>());
    if (json.is_number_integer()) return Value(json.get<int64_t>());
    if (json.is_number_float()) return Value(json.get<double>());
    if (json.is_array()) {
        List list;
        for (const auto& item : json) list.items.push_back(from_json(item, max_depth - 1));
        return list;
    }
    if (json.is_object()) {
        Dict dict;
        for (const auto& [key, value] : json.items()) dict.items.emplace_back(text(key), from_json(value, max_depth - 1));
        return dict;
    }
    return None{};
}

}  // namespace kylin::jinja
