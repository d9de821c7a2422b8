// Where a request begins and ends, decided by the strict reading of RFC 9112 before any parser sees it. Whatever two programs could read
// in two ways is refused: that is how requests are smuggled past a proxy.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace kylin::server {

// Something the connection cannot go on after: answered with the status, then closed.
struct FramingError {
    int status = 0;  // 0: no error
    std::string what = {};
    explicit operator bool() const { return status != 0; }
};

// Of ASCII letters only: names of fields, schemes, codings.
std::string lower(std::string_view text);

struct HeadLimits {
    size_t bytes = 16384;  // of the request line and all fields
    size_t fields = 100;
};

// Finds the end of a head that arrives in pieces, reading every byte once.
class HeadScanner {
public:
    explicit HeadScanner(HeadLimits limits = {}) : limits_(limits) {}
    // `input` is everything since the head's first byte; size() is known when complete().
    FramingError scan(std::string_view input);
    bool complete() const { return complete_; }
    size_t size() const { return position_; }

private:
    HeadLimits limits_;
    size_t position_ = 0, line_ = 0;
    bool complete_ = false;
};

// A complete head, the empty line included.
FramingError check_head(std::string_view head, HeadLimits limits = {});

// Takes the chunks of a body off the front of what arrives. No chunk extensions and no trailer fields: nobody needs them here.
class ChunkDecoder {
public:
    explicit ChunkDecoder(size_t limit) : limit_(limit) {}
    FramingError read(std::string& input, std::string& body);  // removes from input what it understood
    bool complete() const { return state_ == State::complete; }

private:
    enum class State : uint8_t { size, data, data_end, last, complete };
    FramingError read_size(std::string_view line, size_t body_size);
    size_t limit_, remaining_ = 0;
    State state_ = State::size;
};

}  // namespace kylin::server
