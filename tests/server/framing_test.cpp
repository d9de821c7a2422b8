#include "server/framing.h"

#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace kylin::server {
namespace {

std::string head(const std::string& fields, const std::string& line = "POST /x HTTP/1.1") {
    return line + "\r\nHost: localhost\r\n" + fields + "\r\n";
}

FramingError error_of(const std::string& text) {
    HeadScanner scanner;
    if (FramingError error = scanner.scan(text)) return error;
    return scanner.complete() ? check_head(text.substr(0, scanner.size())) : FramingError{-1, "incomplete"};
}

int status_of(const std::string& text) { return error_of(text).status; }

void expect_refused(const std::string& text, const std::string& why) {
    const FramingError error = error_of(text);
    EXPECT_EQ(error.status, 400) << text;
    EXPECT_EQ(error.what, why) << text;
}

TEST(HeadScanner, FindsTheEndHoweverTheBytesArrive) {
    const std::string text = head("A: b\r\n");
    for (size_t cut = 0; cut < text.size(); ++cut) {
        HeadScanner scanner;
        EXPECT_FALSE(scanner.scan(text.substr(0, cut)));
        EXPECT_FALSE(scanner.complete());
        EXPECT_FALSE(scanner.scan(text + "body"));
        EXPECT_TRUE(scanner.complete());
        EXPECT_EQ(scanner.size(), text.size());
    }
}

TEST(HeadScanner, BoundsWhatItWaitsFor) {
    HeadScanner scanner({.bytes = 100, .fields = 5});
    EXPECT_FALSE(scanner.scan(std::string(100, 'a')));
    EXPECT_EQ(scanner.scan(std::string(101, 'a')).status, 431);
    std::string many;
    for (int i = 0; i < 101; ++i) many += "A: b\r\n";
    EXPECT_EQ(status_of(head(many)), 431);
}

TEST(CheckHead, AcceptsWhatClientsSend) {
    EXPECT_EQ(status_of(head("")), 0);
    EXPECT_EQ(status_of(head("Content-Length: 12\r\nAccept: */*\r\n")), 0);
    EXPECT_EQ(status_of(head("transfer-encoding: CHUNKED\r\n")), 0);
    EXPECT_EQ(status_of(head("X:\r\nY: \xc3\xa4\tb\r\n")), 0);
    EXPECT_EQ(status_of("GET / HTTP/1.0\r\n\r\n"), 0);
    EXPECT_EQ(status_of(head("", "GET /a?b=c HTTP/1.1")), 0);
}

TEST(CheckHead, RefusesFieldsThatCanBeReadInTwoWays) {
    const std::string length = "content-length: not a number of bytes", name = "a header field's name is malformed",
                      folded = "a header field is folded over two lines", control = "a: holds a control character";
    for (const auto& [fields, why] : std::vector<std::pair<std::string, std::string>>{
             {"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", "content-length and transfer-encoding contradict each other"},
             {"Content-Length: 1\r\nContent-Length: 1\r\n", "content-length: given twice"},
             {"Content-Length: 1\r\ncontent-length: 2\r\n", "content-length: given twice"},
             {"Content-Length: -1\r\n", length},
             {"Content-Length: +1\r\n", length},
             {"Content-Length: 1, 1\r\n", length},
             {"Content-Length: 0x10\r\n", length},
             {"Content-Length: 18446744073709551616\r\n", length},
             {"Content-Length:\r\n", length},
             {"Content-Length: 1 2\r\n", length},
             {"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "transfer-encoding: given twice"},
             {"Host: other\r\n", "host: given twice"},
             {"Origin: a\r\nOrigin: b\r\n", "origin: given twice"},
             {"Authorization: a\r\nAuthorization: b\r\n", "authorization: given twice"},
             {"Expect: 100-continue\r\nExpect: 100-continue\r\n", "expect: given twice"},
             {"Content-Length : 1\r\n", name},
             {"A b\r\n", name},
             {"Ab\r\n", name},
             {": b\r\n", name},
             {" folded: x\r\n", folded},
             {"A: b\r\n c\r\n", folded},
             {"\tA: b\r\n", folded},
             {"A: b\x01\r\n", control},
             {"A: b\x7f\r\n", control}})
        expect_refused(head(fields), why);
    expect_refused("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "transfer-encoding: not a part of HTTP/1.0");
}

TEST(CheckHead, RefusesLinesThatCanBeReadInTwoWays) {
    const std::string end = "a line of the header does not end with CR LF", line = "the request line is malformed",
                      target = "the request target is malformed";
    for (const auto& [text, why] : std::vector<std::pair<std::string, std::string>>{
             {"POST /x HTTP/1.1\nHost: a\n\n", end},
             {"POST /x HTTP/1.1\r\nHost: a\nA: b\r\n\r\n", end},
             {"POST /x HTTP/1.1\r\nHost: a\r\rA: b\r\n\r\n", end},
             {std::string("GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n", 29), "the header holds a NUL byte"},
             {"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "the request line is empty"},
             {"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", target},
             {"GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n", target},
             {"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", line},
             {"GET /\r\nHost: a\r\n\r\n", line},
             {"G\x01T / HTTP/1.1\r\nHost: a\r\n\r\n", line},
             {"GET / http/1.1\r\nHost: a\r\n\r\n", line},
             {"hello\r\n\r\n", line},
             {"GET / HTTP/1.1\r\n\r\n", "host: missing"}})
        expect_refused(text, why);
}

TEST(CheckHead, NamesWhatItDoesNotSpeak) {
    EXPECT_EQ(status_of(head("Transfer-Encoding: gzip, chunked\r\n")), 501);
    EXPECT_EQ(status_of(head("Content-Encoding: gzip\r\n")), 415);
    EXPECT_EQ(status_of(head("Expect: a miracle\r\n")), 417);
    EXPECT_EQ(status_of(head("", "GET / HTTP/2.0")), 505);
}

struct Decoded {
    std::string body, rest;
    int status;
    bool complete;
};

Decoded decode(std::string input, size_t piece, size_t limit = 1000) {
    ChunkDecoder decoder(limit);
    Decoded d{{}, {}, 0, false};
    for (size_t at = 0; at < input.size() && d.status == 0; at += piece) {
        d.rest += input.substr(at, piece);
        d.status = decoder.read(d.rest, d.body).status;
    }
    d.complete = decoder.complete();
    return d;
}

TEST(ChunkDecoder, ReadsChunksHoweverTheyArrive) {
    const std::string text = "5\r\nhello\r\n00a\r\n, world!!!\r\n0\r\n\r\nnext";
    for (size_t piece = 1; piece <= text.size(); ++piece) {
        const Decoded d = decode(text, piece);
        EXPECT_EQ(d.status, 0);
        EXPECT_TRUE(d.complete);
        EXPECT_EQ(d.body, "hello, world!!!");
        EXPECT_EQ(d.rest, "next");
    }
}

TEST(ChunkDecoder, RefusesWhatCanBeReadInTwoWays) {
    for (const char* text : {"5;a=b\r\nhello\r\n0\r\n\r\n", "5\nhello\r\n0\r\n\r\n", "5\r\nhello0\r\n\r\n", " 5\r\nhello\r\n",
                             "-5\r\nhello\r\n", "+5\r\nhello\r\n", "0x5\r\nhello\r\n", "\r\nhello\r\n", "\r\n\r\n", "g\r\nhello\r\n",
                             "fffffffff\r\nhello\r\n", "0\r\nTrailer: x\r\n\r\n", "00000000005\r\nhello\r\n0\r\n\r\n"})
        for (const size_t piece : {size_t{1}, size_t{100}}) EXPECT_EQ(decode(text, piece).status, 400) << text;
    EXPECT_EQ(decode("6\r\nhello!\r\n0\r\n\r\n", 100, 5).status, 413);
    EXPECT_EQ(decode("3\r\nhel\r\n3\r\nlo!\r\n0\r\n\r\n", 100, 5).status, 413);
    EXPECT_EQ(decode("ffffffff\r\n", 100).status, 413);
}

}  // namespace
}  // namespace kylin::server
