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

constexpr size_t large = size_t{32} << 20;  // more than the sockets between client and server hold

// Answers with the body; "/hang" never, "/throw" not at all, "/large" at length.
class Echo final : public Handler {
public:
    void handle(HttpRequest request, std::shared_ptr<Exchange> exchange) override {
        if (request.path() == "/throw") throw std::runtime_error("a route that fails");
        if (request.path() == "/hang") return hanging.push_back(std::move(exchange));
        exchange->respond({.body = request.path() == "/large" ? std::string(large, 'a') : std::move(request.body)});
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
        options.head_seconds = options.body_seconds = options.idle_seconds = options.write_seconds = 0.2;
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
    std::optional<asio::ip::tcp::socket> stays_open_;  // until the server has ended
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

TEST_F(HttpServerTest, WhoeverDoesNotReadIsCutOff) {
    auto socket = connect();
    asio::write(socket, asio::buffer(std::string("GET /large HTTP/1.1\r\nHost: a\r\n\r\n")));
    std::this_thread::sleep_for(std::chrono::seconds(1));  // write_seconds and a busy machine
    EXPECT_LT(read_all(socket).size(), large);
}

TEST_F(HttpServerTest, WhatIsSentAheadOfAnAnswerIsNotKept) {
    auto socket = connect();
    asio::write(socket, asio::buffer(std::string("GET /hang HTTP/1.1\r\nHost: a\r\n\r\n")));
    socket.non_blocking(true);
    const std::string piece(65536, 'a');
    size_t n_sent = 0;
    for (int n_waits = 0; n_waits < 30 && n_sent < large;) {
        boost::system::error_code error;
        n_sent += socket.write_some(asio::buffer(piece), error);
        if (!error) continue;
        ASSERT_EQ(error, asio::error::would_block);
        ++n_waits;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    EXPECT_LT(n_sent, large);
}

TEST_F(HttpServerTest, WhoeverStaysAfterARefusalIsClosedInTheEnd) {
    auto socket = connect();
    asio::write(socket, asio::buffer(std::string("no request\r\n\r\n")));
    EXPECT_TRUE(read_all(socket).starts_with("HTTP/1.1 400 "));
    boost::system::error_code error;
    for (int i = 0; i < 100 && !error; ++i) {  // 10 s: five times as long as the server lingers
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        asio::write(socket, asio::buffer("a", 1), error);
    }
    EXPECT_TRUE(error);
}

TEST_F(HttpServerTest, WhatNeverEndsIsCutOffWhenDrainingTakesTooLong) {
    stays_open_.emplace(connect());
    asio::write(*stays_open_, asio::buffer(std::string("GET /hang HTTP/1.1\r\nHost: a\r\n\r\n")));
    // The destructor ends the server, which waits for this answer no longer than drain_seconds.
}

}  // namespace
}  // namespace kylin::server
