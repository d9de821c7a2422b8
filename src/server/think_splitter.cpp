#include "server/think_splitter.h"

#include <algorithm>

namespace kylin::server {
namespace {

constexpr std::string_view opening = "<think>", closing = "</think>", blank = " \t\r\n";

// The length of the longest end of `text` that begins with line ends and goes on with a beginning of the closing tag.
size_t possible_end(std::string_view text) {
    size_t tag = std::min(text.size(), closing.size() - 1);
    while (tag > 0 && text.substr(text.size() - tag) != closing.substr(0, tag)) --tag;
    const std::string_view before = text.substr(0, text.size() - tag);
    const size_t kept = before.find_last_not_of('\n') + 1;  // npos + 1 is 0
    return text.size() - kept;
}

}  // namespace

ThinkSplitter::Parts ThinkSplitter::push(std::string_view text) {
    Parts parts;
    held_ += text;
    advance(parts, false);
    return parts;
}

ThinkSplitter::Parts ThinkSplitter::finish() {
    Parts parts;
    advance(parts, true);
    return parts;
}

void ThinkSplitter::think(Parts& parts, bool last) {
    const size_t end = held_.find(closing);
    if (end != held_.npos) {
        std::string_view thoughts = std::string_view(held_).substr(0, end);
        thoughts = thoughts.substr(0, thoughts.find_last_not_of('\n') + 1);
        parts.reasoning += thoughts;
        held_.erase(0, end + closing.size());
        state_ = State::content_begins;
        return;
    }
    const size_t certain = last ? held_.size() : held_.size() - possible_end(held_);
    parts.reasoning += held_.substr(0, certain);
    held_.erase(0, certain);
}

void ThinkSplitter::advance(Parts& parts, bool last) {
    if (state_ == State::undecided) {
        const size_t begin = std::min(held_.find_first_not_of(blank), held_.size());
        const std::string_view seen = std::string_view(held_).substr(begin);
        if (seen.substr(0, opening.size()) == opening) {
            held_.erase(0, begin + opening.size());
            state_ = State::thinking_begins;
        } else if (last || seen != opening.substr(0, seen.size())) {
            state_ = State::content;
        }
    }
    if (state_ == State::thinking_begins || state_ == State::content_begins) {
        held_.erase(0, held_.find_first_not_of('\n'));
        if (state_ == State::thinking_begins && !held_.empty()) state_ = State::thinking;
    }
    if (state_ == State::thinking) think(parts, last);
    if (state_ == State::content_begins) {
        held_.erase(0, held_.find_first_not_of('\n'));
        if (!held_.empty()) state_ = State::content;
    }
    if (state_ == State::content) {
        parts.content += held_;
        held_.clear();
    }
}

}  // namespace kylin::server
