// The server with time-outs of a fraction of a second, and clients that use them up.
#include "server/http_server.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <csignal>
#include <gtest/gtest.h>
#include <stdexcept>
#include <thread>

namespace kylin::server {
namespace {

namespace asio = boost::asio;

// Answers with the body; "/hang" never, "/throw" not at all.
class Echo final : public Handler {
public:
    void handle(HttpRequest request, std::shared_ptr<Exchange> exchange) override {
        if (request.path() == "/throw") throw std::runtime_error("a route that fails");
        if (request.path() == "/hang") return hanging.push_back(std::move(exchange));
        exchange->respond({.body = std::move(request.body)});
    }
    void on_done(const ExchangeRecord& record) override { records.push_back(record); }

    std::vector<std::shared_ptr<Exchange>> hanging;
    std::vector<ExchangeRecord> records;
};

class HttpServerTest : public testing::Test {
protected:
    HttpServerTest() {
        HttpOptions options;
        options.port = 0;
        options.head_seconds = options.body_seconds = options.idle_seconds = 0.2;
        options.drain_seconds = 0.2;
        server_.emplace(options, echo_);
        thread_ = std::thread([this] { server_->run(); });
    }
    ~HttpServerTest() override {
        // run() has taken over SIGTERM once the first byte was answered.
        EXPECT_NE(exchange("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").find("200 OK"), std::string::npos);
        std::raise(SIGTERM);
        thread_.join();
    }

    asio::ip::tcp::socket connect() {
        asio::ip::tcp::socket socket(io_);
        socket.connect({asio::ip::make_address("127.0.0.1"), server_->port()});
        return socket;
    }
    // What comes until the server closes.
    static std::string read_all(asio::ip::tcp::socket& socket) {
        std::string text;
        boost::system::error_code error;
        asio::read(socket, asio::dynamic_buffer(text), error);
        return text;
    }
    std::string exchange(std::string_view bytes, bool half_close = false) {
        auto socket = connect();
        asio::write(socket, asio::buffer(bytes.data(), bytes.size()));
        if (half_close) socket.shutdown(asio::ip::tcp::socket::shutdown_send);
        return read_all(socket);
    }

    Echo echo_;
    std::optional<HttpServer> server_;
    asio::io_context io_;
    std::thread thread_;
};

TEST_F(HttpServerTest, WhoeverIsSlowIsToldSoAndClosed) {
    EXPECT_EQ(exchange(""), "");  // nothing was asked
    for (const char* begun : {"G", "GET / HTTP/1.1\r\nHost: a\r\n", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n",
                              "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nx",
                              "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n"})
        EXPECT_TRUE(exchange(begun).starts_with("HTTP/1.1 408 ")) << begun;
    const std::string continued = exchange("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    EXPECT_TRUE(continued.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 408 ")) << continued;
}

TEST_F(HttpServerTest, BytesThatTrickleDoNotBuyTime) {
    auto socket = connect();
    const auto begun = std::chrono::steady_clock::now();
    boost::system::error_code error;
    for (int i = 0; i < 1000 && !error; ++i) {
        asio::write(socket, asio::buffer("a", 1), error);
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        if (socket.available(error) > 0) break;
    }
    EXPECT_TRUE(read_all(socket).starts_with("HTTP/1.1 408 "));
    EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(10));  // 0.2 s and a busy machine
}

TEST_F(HttpServerTest, AWholeRequestIsAnsweredThoughItsClientHasStoppedSending) {
    for (int i = 0; i < 50; ++i) {
        const std::string answer = exchange("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", true);
        EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\nhello")) << answer;
    }
    EXPECT_EQ(exchange("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhell", true), "");
}

TEST_F(HttpServerTest, ARouteThatThrowsCostsItsConnectionOnly) {
    EXPECT_EQ(exchange("GET /throw HTTP/1.1\r\nHost: a\r\n\r\n"), "");
    EXPECT_TRUE(exchange("POST / HTTP/1.0\r\nContent-Length: 1\r\n\r\nx").ends_with("\r\n\r\nx"));
}

TEST_F(HttpServerTest, WhatNeverEndsIsCutOffWhenDrainingTakesTooLong) {
    auto socket = connect();
    const std::string request = "GET /hang HTTP/1.1\r\nHost: a\r\n\r\n";
    asio::write(socket, asio::buffer(request));
    // The destructor ends the server, which waits for this answer no longer than drain_seconds.
}

}  // namespace
}  // namespace kylin::server
