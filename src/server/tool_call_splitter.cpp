#include "server/tool_call_splitter.h"

#include <algorithm>
#include <optional>

#include "base/error.h"

namespace kylin::server {
namespace {

constexpr std::string_view opening = "<tool_call>", closing = "</tool_call>", blank = " \t\r\n";

// The length of the longest end of `text` that is white space and then a beginning of the tag: white space before a call is not shown.
size_t possible_tag(std::string_view text) {
    size_t tag = std::min(text.size(), opening.size() - 1);
    while (tag > 0 && !text.ends_with(opening.substr(0, tag))) --tag;
    const std::string_view before = text.substr(0, text.size() - tag);
    return text.size() - (before.find_last_not_of(blank) + 1);  // npos + 1 is 0
}

// {"name": …, "arguments": {…}}; models sometimes leave the arguments out, or write them as a string.
std::optional<ToolCall> parse_call(std::string_view text, const ToolUse& offered) {
    try {
        const Json json = parse_json(text);
        if (!json.is_object() || !json.contains("name") || !json["name"].is_string()) return std::nullopt;
        const std::string name = json["name"].get<std::string>();
        Json arguments = json.value("arguments", Json::object());
        if (arguments.is_string()) arguments = parse_json(arguments.get<std::string>());
        if (!arguments.is_object() || !offered.find(name)) return std::nullopt;
        return ToolCall{0, name, dump(arguments)};
    } catch (const InputError&) {
        return std::nullopt;  // no JSON
    }
}

}  // namespace

ToolCallSplitter::Parts ToolCallSplitter::push(std::string_view text) {
    Parts parts;
    held_ += text;
    while (inside_ ? take_call(parts, false) : take_text(parts, false)) {
    }
    return parts;
}

ToolCallSplitter::Parts ToolCallSplitter::finish() {
    Parts parts;
    while (!held_.empty() && (inside_ ? take_call(parts, true) : take_text(parts, true))) {
    }
    return parts;
}

// Whether there may be more to take.
bool ToolCallSplitter::take_text(Parts& parts, bool last) {
    const size_t tag = held_.find(opening);
    if (tag == held_.npos) {
        if (last && n_calls_ > 0 && held_.find_first_not_of(blank) == held_.npos) held_.clear();  // behind the last call
        const size_t certain = last ? held_.size() : held_.size() - possible_tag(held_);
        parts.content += held_.substr(0, certain);
        held_.erase(0, certain);
        return false;
    }
    const size_t shown = std::string_view(held_).substr(0, tag).find_last_not_of(blank) + 1;
    parts.content += held_.substr(0, shown);
    held_.erase(0, shown);
    inside_ = true;
    return true;
}

bool ToolCallSplitter::take_call(Parts& parts, bool last) {
    const size_t end = held_.find(closing, searched_);
    if (end == held_.npos && !last) {
        searched_ = std::max(held_.size(), closing.size()) - closing.size();
        return false;
    }
    const size_t written = end == held_.npos ? held_.size() : end + closing.size(), begin = held_.find(opening) + opening.size();
    const std::string_view all = held_;
    add_call(parts, all.substr(begin, std::min(end, all.size()) - begin), all.substr(0, written));
    held_.erase(0, written);
    inside_ = false;
    searched_ = 0;
    return true;
}

void ToolCallSplitter::add_call(Parts& parts, std::string_view text, std::string_view written) {
    std::optional<ToolCall> call = parse_call(text, *offered_);
    if (!call) {
        parts.content += written;
        return;
    }
    call->index = n_calls_++;
    parts.calls.push_back(std::move(*call));
}

}  // namespace kylin::server
