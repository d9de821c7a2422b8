#include "server/framing.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

namespace kylin::server {
namespace {

FramingError bad(std::string what) { return {400, std::move(what)}; }

bool is_token(std::string_view text) {
    constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
    return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || marks.find(c) != marks.npos;
    });
}

std::string_view trim(std::string_view text) {
    constexpr std::string_view blank = " \t";
    const size_t begin = text.find_first_not_of(blank);
    return begin == text.npos ? std::string_view() : text.substr(begin, text.find_last_not_of(blank) - begin + 1);
}

FramingError check_request_line(std::string_view line, bool& is_1_1) {
    const size_t method_end = line.find(' ');
    const size_t target_end = method_end == line.npos ? line.npos : line.find(' ', method_end + 1);
    if (target_end == line.npos || !is_token(line.substr(0, method_end))) return bad("the request line is malformed");
    const std::string_view target = line.substr(method_end + 1, target_end - method_end - 1), version = line.substr(target_end + 1);
    if (target.empty() || std::any_of(target.begin(), target.end(), [](char c) { return c < 0x21 || c > 0x7e; }))
        return bad("the request target is malformed");
    is_1_1 = version == "HTTP/1.1";
    if (is_1_1 || version == "HTTP/1.0") return {};
    const bool other = version.size() == 8 && version.substr(0, 5) == "HTTP/" && version[6] == '.';
    return other ? FramingError{505, "only HTTP/1.0 and HTTP/1.1 are spoken here"} : bad("the request line is malformed");
}

// The fields that say how a message is framed or who may send it; more than one of a kind is a contradiction.
struct Seen {
    bool content_length = false, transfer_encoding = false, host = false, authorization = false, origin = false, expect = false;
};

bool* single(Seen& seen, std::string_view name) {
    const std::pair<std::string_view, bool*> fields[] = {
        {"content-length", &seen.content_length},
        {"transfer-encoding", &seen.transfer_encoding},
        {"host", &seen.host},
        {"authorization", &seen.authorization},
        {"origin", &seen.origin},
        {"expect", &seen.expect},
    };
    for (const auto& [field, flag] : fields)
        if (field == name) return flag;
    return nullptr;
}

FramingError check_field(std::string_view line, Seen& seen) {
    if (line.front() == ' ' || line.front() == '\t') return bad("a header field is folded over two lines");
    const size_t colon = line.find(':');
    if (colon == line.npos || !is_token(line.substr(0, colon))) return bad("a header field's name is malformed");
    const std::string name = lower(line.substr(0, colon));
    const std::string_view value = trim(line.substr(colon + 1));
    const auto control = [](unsigned char c) { return (c < 0x20 && c != '\t') || c == 0x7f; };
    if (std::any_of(value.begin(), value.end(), control)) return bad(name + ": holds a control character");
    if (bool* flag = single(seen, name)) {
        if (*flag) return bad(name + ": given twice");
        *flag = true;
    }
    if (name == "content-length" && (value.empty() || value.size() > 18 || value.find_first_not_of("0123456789") != value.npos))
        return bad("content-length: not a number of bytes");
    if (name == "transfer-encoding" && lower(value) != "chunked") return {501, "transfer-encoding: only chunked is understood"};
    if (name == "content-encoding" && lower(value) != "identity") return {415, "content-encoding: only identity is understood"};
    if (name == "expect" && lower(value) != "100-continue") return {417, "expect: only 100-continue is understood"};
    return {};
}

}  // namespace

std::string lower(std::string_view text) {
    std::string result(text);
    for (char& c : result)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return result;
}

FramingError HeadScanner::scan(std::string_view input) {
    for (; position_ < input.size() && !complete_; ++position_) {
        if (position_ >= limits_.bytes) return {431, "the header is longer than " + std::to_string(limits_.bytes) + " bytes"};
        const char c = input[position_];
        const bool after_return = position_ > 0 && input[position_ - 1] == '\r';
        if (c == 0) return bad("the header holds a NUL byte");
        if (after_return != (c == '\n')) return bad("a line of the header does not end with CR LF");
        if (c != '\n') continue;
        if (position_ - line_ == 1) complete_ = true;
        line_ = position_ + 1;
    }
    return {};
}

FramingError check_head(std::string_view head, HeadLimits limits) {
    std::vector<std::string_view> lines;
    for (size_t end; (end = head.find("\r\n")) != 0 && end != head.npos; head.remove_prefix(end + 2)) lines.push_back(head.substr(0, end));
    if (lines.empty()) return bad("the request line is empty");
    if (lines.size() > limits.fields + 1) return {431, "more than " + std::to_string(limits.fields) + " header fields"};
    bool is_1_1 = false;
    if (FramingError error = check_request_line(lines[0], is_1_1)) return error;
    Seen seen;
    for (size_t i = 1; i < lines.size(); ++i)
        if (FramingError error = check_field(lines[i], seen)) return error;
    if (seen.content_length && seen.transfer_encoding) return bad("content-length and transfer-encoding contradict each other");
    if (seen.transfer_encoding && !is_1_1) return bad("transfer-encoding: not a part of HTTP/1.0");
    if (is_1_1 && !seen.host) return bad("host: missing");
    return {};
}

FramingError ChunkDecoder::read_size(std::string_view line, size_t body_size) {
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), remaining_, 16);
    if (error != std::errc() || end != line.data() + line.size()) return bad("the size of a chunk is malformed");
    if (remaining_ > limit_ - body_size) return {413, "the body is longer than " + std::to_string(limit_) + " bytes"};
    state_ = remaining_ == 0 ? State::last : State::data;
    return {};
}

FramingError ChunkDecoder::read(std::string& input, std::string& body) {
    size_t position = 0;
    FramingError error;
    while (!error && !complete()) {
        const std::string_view rest = std::string_view(input).substr(position);
        if (state_ == State::size) {
            const size_t end = rest.substr(0, 10).find("\r\n");  // eight digits: below 4 GiB
            if (end == rest.npos) {
                if (rest.size() >= 10) error = bad("the size of a chunk is malformed");
                break;
            }
            error = read_size(rest.substr(0, end), body.size());
            position += end + 2;
        } else if (state_ == State::data) {
            if (rest.empty()) break;
            const size_t n = std::min(remaining_, rest.size());
            body.append(rest.substr(0, n));
            position += n;
            remaining_ -= n;
            if (remaining_ == 0) state_ = State::data_end;
        } else {
            if (rest.size() < 2) break;
            if (rest.substr(0, 2) != "\r\n") error = bad("a chunk does not end where it says");
            state_ = state_ == State::last ? State::complete : State::size;
            position += 2;
        }
    }
    input.erase(0, position);
    return error;
}

}  // namespace kylin::server
