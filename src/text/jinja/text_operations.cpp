// Everything works on bytes at the borders of characters, and takes the origins along.
#include "text/jinja/text_operations.h"

#include <algorithm>
#include <limits>

#include "text/jinja/builtins.h"
#include "text/jinja/python_text.h"

namespace kylin::jinja {
namespace {

int64_t at_most(std::optional<int64_t> limit) { return limit && *limit >= 0 ? *limit : std::numeric_limits<int64_t>::max(); }

List split_at_space(const Text& text, int64_t limit, Run& run) {
    List parts;
    size_t at = leading_space(text.bytes());
    while (at < text.size()) {
        run.spend(1);
        const std::string_view rest = std::string_view(text.bytes()).substr(at);
        if (limit-- == 0) {
            parts.items.push_back(text.substr(at));
            return parts;
        }
        const size_t word = leading(rest, [](char32_t c) { return !is_python_space(c); });
        parts.items.push_back(text.substr(at, word));
        at += word + leading_space(rest.substr(word));
    }
    return parts;
}

List split_right_at_space(const Text& text, int64_t limit, Run& run) {
    List parts;
    size_t end = text.size() - trailing_space(text.bytes());
    while (end > 0) {
        run.spend(1);
        const std::string_view rest = std::string_view(text.bytes()).substr(0, end);
        if (limit-- == 0) {
            parts.items.push_back(text.substr(0, end));
            break;
        }
        const size_t word = trailing(rest, [](char32_t c) { return !is_python_space(c); });
        parts.items.push_back(text.substr(end - word, word));
        end -= word + trailing_space(rest.substr(0, end - word));
    }
    std::reverse(parts.items.begin(), parts.items.end());
    return parts;
}

template <class Map>
Text map_characters(const Text& text, Map map) {
    Text out;
    for (size_t at = 0; at < text.size();) {
        const Decoded c = decode_first(std::string_view(text.bytes()).substr(at));
        std::string mapped;
        append_utf8(mapped, map(c.character));
        out.append(mapped, text.origin(at));
        at += c.bytes;
    }
    return out;
}

}  // namespace

Text strip(const Text& text, const Text* characters, bool left, bool right) {
    std::u32string set;
    if (characters) set = to_utf32(characters->bytes());
    const auto belongs = [&](char32_t c) { return characters ? set.find(c) != std::u32string::npos : is_python_space(c); };
    const size_t begin = left ? leading(text.bytes(), belongs) : 0;
    const std::string_view rest = std::string_view(text.bytes()).substr(begin);
    return text.substr(begin, rest.size() - (right ? trailing(rest, belongs) : 0));
}

List split(const Text& text, const Text* separator, std::optional<int64_t> limit, Run& run) {
    if (!separator) return split_at_space(text, at_most(limit), run);
    if (separator->empty()) run.fail("the separator of split is empty");
    List parts;
    size_t begin = 0;
    for (int64_t left = at_most(limit); left > 0; --left) {
        run.spend(1);
        const size_t end = text.bytes().find(separator->bytes(), begin);
        if (end == std::string::npos) break;
        parts.items.push_back(text.substr(begin, end - begin));
        begin = end + separator->size();
    }
    parts.items.push_back(text.substr(begin));
    return parts;
}

List split_right(const Text& text, const Text* separator, std::optional<int64_t> limit, Run& run) {
    if (!separator) return split_right_at_space(text, at_most(limit), run);
    if (separator->empty()) run.fail("the separator of rsplit is empty");
    List parts;
    size_t end = text.size();
    for (int64_t left = at_most(limit); left > 0 && end >= separator->size(); --left) {
        run.spend(1);
        const size_t begin = text.bytes().rfind(separator->bytes(), end - separator->size());
        if (begin == std::string::npos) break;
        parts.items.push_back(text.substr(begin + separator->size(), end - begin - separator->size()));
        end = begin;
    }
    parts.items.push_back(text.substr(0, end));
    std::reverse(parts.items.begin(), parts.items.end());
    return parts;
}

List split_lines(const Text& text, bool keep_ends, Run& run) {
    const auto ends_line = [](char32_t c) {
        return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 || c == 0x2029;
    };
    List lines;
    for (size_t begin = 0; begin < text.size();) {
        run.spend(1);
        const std::string_view rest = std::string_view(text.bytes()).substr(begin);
        const size_t line = leading(rest, [&](char32_t c) { return !ends_line(c); });
        size_t end = line;
        if (end < rest.size()) end += rest.substr(end).starts_with("\r\n") ? 2 : decode_first(rest.substr(end)).bytes;
        lines.items.push_back(text.substr(begin, keep_ends ? end : line));
        begin += end;
    }
    return lines;
}

Text join(const List& items, const Text& separator, Run& run) {
    Text out;
    for (size_t i = 0; i < items.items.size(); ++i) {
        if (i > 0) out += separator;
        const Text item = print(items.items[i], run);
        run.spend_bytes(separator.size());
        out += item;
    }
    return out;
}

Text replace(const Text& text, const Text& old, const Text& with, std::optional<int64_t> limit, Run& run) {
    Text out;
    size_t begin = 0, from = 0;
    for (int64_t left = at_most(limit); left > 0; --left) {
        run.spend_bytes(with.size());
        const size_t at = text.bytes().find(old.bytes(), from);
        if (at == std::string::npos) break;
        out += text.substr(begin, at - begin);
        out += with;
        begin = from = at + old.size();
        if (!old.empty()) continue;
        if (at == text.size()) break;  // an empty string lies before each character, and at the end
        from = at + decode_first(std::string_view(text.bytes()).substr(at)).bytes;
    }
    out += text.substr(begin);
    return out;
}

Text repeat(const Text& text, int64_t times, Run& run) {
    Text out;
    if (text.empty()) return out;
    for (int64_t i = 0; i < times; ++i) {
        run.spend_bytes(text.size());
        out += text;
    }
    return out;
}

Text indent(const Text& text, const Text& prefix, bool first, bool blank, Run& run) {
    Text out;
    bool at_first = true;
    // One empty line more, so that a line end at the end stays.
    Text padded = text;
    padded.append("\n", Origin::source);
    for (const Value& item : split_lines(padded, false, run).items) {
        const Text& line = *item.as_text();
        run.spend_bytes(prefix.size() + line.size());
        if (!at_first) out.append("\n", Origin::source);
        if (at_first ? first : blank || !line.empty()) out += prefix;
        out += line;
        at_first = false;
    }
    return out;
}

Text lower(const Text& text) { return map_characters(text, to_lower); }
Text upper(const Text& text) { return map_characters(text, to_upper); }

Text title(const Text& text) {
    bool inside = false;
    return map_characters(text, [&](char32_t c) {
        // The word separators of Jinja's title filter.
        const bool separates = is_python_space(c) || std::u32string_view(U"-([{<").find(c) != std::u32string_view::npos;
        const char32_t mapped = inside ? to_lower(c) : to_upper(c);
        inside = !separates;
        return mapped;
    });
}

Text capitalize(const Text& text) {
    bool first = true;
    return map_characters(text, [&](char32_t c) {
        const char32_t mapped = first ? to_upper(c) : to_lower(c);
        first = false;
        return mapped;
    });
}

}  // namespace kylin::jinja
