// How values are written: as Python's str() and repr(), and as JSON.
#include <cmath>
#include <fmt/format.h>

#include "text/jinja/value.h"
#include "text/unicode.h"

namespace kylin::jinja {
namespace {

std::string print_float(double x) {
    if (std::isnan(x)) return "nan";
    if (std::isinf(x)) return x > 0 ? "inf" : "-inf";
    std::string text = fmt::format("{}", x);  // the shortest that reads back, with exponents where Python has them
    if (text.find_first_of(".e") == std::string::npos) text += ".0";
    return text;
}

// Python's quotes: single ones, unless the text has those and no double ones.
void print_quoted(std::string_view text, std::string& out) {
    const bool use_double = text.find('\'') != std::string_view::npos && text.find('"') == std::string_view::npos;
    const char quote = use_double ? '"' : '\'';
    out += quote;
    for (std::string_view rest = text; !rest.empty();) {
        const auto [c, bytes] = decode_first(rest);
        if (c == U'\\' || c == static_cast<char32_t>(quote))
            (out += '\\') += rest[0];
        else if (c == U'\n')
            out += "\\n";
        else if (c == U'\r')
            out += "\\r";
        else if (c == U'\t')
            out += "\\t";
        else if (is_printable(c))
            out += rest.substr(0, bytes);
        else if (c <= 0xFF)
            out += fmt::format("\\x{:02x}", static_cast<uint32_t>(c));
        else
            out += c <= 0xFFFF ? fmt::format("\\u{:04x}", static_cast<uint32_t>(c)) : fmt::format("\\U{:08x}", static_cast<uint32_t>(c));
        rest.remove_prefix(bytes);
    }
    out += quote;
}

void print(const Value& value, std::string& out);

template <class Items, class PrintItem>
void print_items(const Items& items, std::string& out, PrintItem print_item) {
    bool first = true;
    for (const auto& item : items) {
        if (!first) out += ", ";
        first = false;
        print_item(item);
    }
}

// Python's repr().
void print(const Value& value, std::string& out) {
    if (const Text* text = value.as_text()) {
        print_quoted(text->bytes(), out);
    } else if (const List* list = value.as_list()) {
        out += list->is_tuple ? '(' : '[';
        print_items(list->items, out, [&](const Value& item) { print(item, out); });
        if (list->is_tuple && list->items.size() == 1) out += ',';
        out += list->is_tuple ? ')' : ']';
    } else if (const Dict* dict = value.as_dict()) {
        out += '{';
        print_items(dict->items, out, [&](const auto& item) {
            print(item.first, out);
            out += ": ";
            print(item.second, out);
        });
        out += '}';
    } else if (value.is_undefined()) {
        out += "Undefined";
    } else {
        out += to_text(value).bytes();
    }
}

// \uXXXX, as a surrogate pair beyond U+FFFF.
void escape_json(char32_t c, std::string& out) {
    const auto unit = [&](char32_t u) { out += fmt::format("\\u{:04x}", static_cast<uint32_t>(u)); };
    if (c <= 0xFFFF) return unit(c);
    unit(0xD800 + ((c - 0x10000) >> 10));
    unit(0xDC00 + ((c - 0x10000) & 0x3FF));
}

void quote_json(std::string_view text, bool ensure_ascii, std::string& out) {
    out += '"';
    while (!text.empty()) {
        const auto [c, bytes] = decode_first(text);
        switch (c) {
            case U'"':
                out += "\\\"";
                break;
            case U'\\':
                out += "\\\\";
                break;
            case U'\n':
                out += "\\n";
                break;
            case U'\r':
                out += "\\r";
                break;
            case U'\t':
                out += "\\t";
                break;
            case U'\b':
                out += "\\b";
                break;
            case U'\f':
                out += "\\f";
                break;
            default:
                if (c < 0x20 || (ensure_ascii && c > 0x7E))
                    escape_json(c, out);
                else
                    out += text.substr(0, bytes);
        }
        text.remove_prefix(bytes);
    }
    out += '"';
}

class JsonWriter {
public:
    explicit JsonWriter(JsonStyle style) : style_(style) {}

    // False when the value has no JSON form.
    bool write(const Value& value) {
        if (value.is_none()) return put("null");
        if (const bool* b = value.as_bool()) return put(*b ? "true" : "false");
        if (const int64_t* n = value.as_int()) return put(std::to_string(*n));
        if (const double* x = value.as_float())
            return put(std::isnan(*x) ? "NaN" : std::isinf(*x) ? (*x > 0 ? "Infinity" : "-Infinity") : print_float(*x));
        if (const Text* text = value.as_text()) {
            quote_json(text->bytes(), style_.ensure_ascii, out_);
            return true;
        }
        if (const List* list = value.as_list()) return write_items('[', list->items, ']', [&](const Value& item) { return write(item); });
        if (const Dict* dict = value.as_dict()) {
            return write_items('{', dict->items, '}', [&](const auto& item) {
                // Like Python, scalars become keys; unlike Python, nothing else is quietly accepted.
                if (!item.first.as_text() && !item.first.is_number() && !item.first.is_none()) return false;
                if (item.first.as_text()) {
                    write(item.first);
                } else {
                    out_ += '"';
                    write(item.first);
                    out_ += '"';
                }
                out_ += ": ";
                return write(item.second);
            });
        }
        return false;
    }
    std::string take() { return std::move(out_); }

private:
    bool put(std::string_view text) {
        out_ += text;
        return true;
    }
    void new_line() {
        if (!style_.indent) return;
        out_ += '\n';
        if (*style_.indent > 0) out_.append(static_cast<size_t>(*style_.indent) * level_, ' ');
    }
    template <class Items, class WriteItem>
    bool write_items(char open, const Items& items, char close, WriteItem write_item) {
        out_ += open;
        ++level_;
        for (size_t i = 0; i < items.size(); ++i) {
            if (i > 0) out_ += style_.indent ? "," : ", ";
            new_line();
            if (!write_item(items[i])) return false;
        }
        --level_;
        if (!items.empty()) new_line();
        out_ += close;
        return true;
    }

    JsonStyle style_;
    std::string out_;
    size_t level_ = 0;
};

}  // namespace

Text to_text(const Value& value) {
    if (const Text* text = value.as_text()) return *text;
    if (value.is_undefined()) return {};
    if (value.is_none()) return {"None", Origin::source};
    if (const bool* b = value.as_bool()) return {*b ? "True" : "False", Origin::source};
    if (const int64_t* n = value.as_int()) return {std::to_string(*n), Origin::source};
    if (const double* x = value.as_float()) return {print_float(*x), Origin::source};
    if (value.as_namespace()) return {"<Namespace>", Origin::source};
    if (value.as_function()) return {"<function>", Origin::source};
    std::string out;
    print(value, out);
    return {out, Origin::content};
}

std::optional<Text> to_json(const Value& value, JsonStyle style) {
    JsonWriter writer(style);
    if (!writer.write(value)) return std::nullopt;
    return Text(writer.take(), Origin::content);
}

}  // namespace kylin::jinja
