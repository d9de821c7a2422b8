// Looking into values: items, members, arguments.
#include <algorithm>

#include "text/jinja/builtins.h"
#include "text/jinja/python_text.h"

namespace kylin::jinja {

List iterate(const Value& value, Run& run) {
    if (const List* list = value.as_list()) {
        run.spend(value.width());
        return *list;
    }
    List items;
    if (const Dict* dict = value.as_dict()) {
        run.spend(value.width());
        for (const auto& [key, item] : dict->items) items.items.push_back(key);
    } else if (const Text* text = value.as_text()) {
        run.spend(text->size() * 8);  // each character becomes a value
        const auto starts = character_starts(text->bytes());
        for (size_t i = 0; i + 1 < starts.size(); ++i) items.items.push_back(text->substr(starts[i], starts[i + 1] - starts[i]));
    } else if (!value.is_undefined()) {
        run.fail("a value of type " + std::string(value.type_name()) + " has no items");
    }
    return items;
}

bool contains(const Value& haystack, const Value& needle, Run& run) {
    if (const Text* text = haystack.as_text()) {
        run.spend_bytes(text->size());
        return text->bytes().find(need_text(needle, "the left side of 'in'", run).bytes()) != std::string::npos;
    }
    if (const Dict* dict = haystack.as_dict()) {
        run.spend(dict->items.size());
        return dict->find(needle) != nullptr;
    }
    for (const Value& item : iterate(haystack, run).items)
        if (same(item, needle, run)) return true;
    return false;
}

Value member(const Value& object, std::string_view name, Run& run) {
    if (const Undefined* undefined = object.as_undefined())
        run.fail("'" + undefined->name + "' is undefined, so it has no '" + std::string(name) + "'");
    if (Value method = find_method(object, name, run); !method.is_undefined()) return method;
    if (const Dict* dict = object.as_dict()) {
        run.spend(dict->items.size() / 16);
        if (const Value* value = dict->find(name)) return *value;
    }
    if (const Namespace* space = object.as_namespace()) {
        for (const auto& [key, value] : space->items)
            if (key == name) return value;
    }
    return Undefined{std::string(name)};
}

Text print(const Value& value, Run& run) {
    run.spend(value.weight());
    return to_text(value);
}

bool same(const Value& a, const Value& b, Run& run) {
    run.spend(std::min(a.weight(), b.weight()));
    return equal(a, b);
}

const Value& contained(const Value& value, Run& run) {
    if (value.as_namespace()) run.fail("a namespace inside another value is not supported");
    return value;
}

const Text& need_text(const Value& value, std::string_view what, Run& run) {
    if (!value.as_text()) run.fail(std::string(what) + " must be a string, not " + std::string(value.type_name()));
    return *value.as_text();
}

int64_t need_int(const Value& value, std::string_view what, Run& run) {
    const auto n = value.integer();
    if (!n) run.fail(std::string(what) + " must be an integer, not " + std::string(value.type_name()));
    return *n;
}

}  // namespace kylin::jinja
