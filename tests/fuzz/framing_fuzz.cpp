// libFuzzer: heads and chunks mean the same whole as in pieces. Input: two bytes that say how long the pieces are, and what arrives.
#include "fuzz/require.h"
#include "server/framing.h"

namespace {

using namespace kylin::server;

struct Pieces {
    std::string_view text;
    size_t even, odd;
    size_t taken = 0, n = 0;
    std::string_view next() {
        const size_t length = ++n % 2 ? odd : even;
        const std::string_view piece = text.substr(taken, length);
        taken += piece.size();
        return piece;
    }
    bool more() const { return taken < text.size(); }
};

struct Read {
    int status = 0;
    bool complete = false;
    std::string body, rest;
    bool operator==(const Read&) const = default;
};

Read read_head(Pieces pieces) {
    HeadScanner scanner({.bytes = 300, .fields = 10});
    Read read;
    while (pieces.more() && read.status == 0 && !scanner.complete()) {
        pieces.next();
        read.status = scanner.scan(pieces.text.substr(0, pieces.taken)).status;
    }
    read.complete = scanner.complete();
    if (!read.complete || read.status != 0) return read;
    read.body = pieces.text.substr(0, scanner.size());
    const bool is_empty = read.body == "\r\n";
    kylin::require(is_empty || read.body.find("\r\n\r\n") == read.body.size() - 4, "a head ends at its empty line");
    read.status = check_head(read.body, {.bytes = 300, .fields = 10}).status;
    kylin::require(!is_empty || read.status == 400, "a head has a request line");
    return read;
}

Read read_chunks(Pieces pieces) {
    constexpr size_t limit = 200;
    ChunkDecoder decoder(limit);
    Read read;
    std::string arrived;
    while (pieces.more() && read.status == 0) {
        arrived += pieces.next();
        read.status = decoder.read(arrived, read.body).status;
    }
    kylin::require(read.body.size() <= limit, "a body keeps to its limit");
    read.complete = decoder.complete();
    if (read.status == 0) read.rest = arrived;
    return read;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size < 2) return 0;
    const std::string_view text(reinterpret_cast<const char*>(data + 2), size - 2);
    const Pieces whole{text, text.size(), text.size()}, split{text, 1 + data[0] % 16u, 1 + data[1] % 64u};
    kylin::require(read_head(whole) == read_head(split), "a head does not depend on its pieces");
    kylin::require(read_chunks(whole) == read_chunks(split), "chunks do not depend on their pieces");
    return 0;
}
