// The nth allocation fails while a connection is served, for every n: this client may lose its answer, the next one does not.
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <csignal>
#include <gtest/gtest.h>
#include <string_view>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

#include "failing_new.h"
#include "server/http_server.h"

namespace kylin::server {
namespace {

using testing::FailingAllocation;
using testing::n_allocated;

// Reads an answer without allocating, so that every allocation that fails is the server's.
class Client {
public:
    explicit Client(uint16_t port) : port_(port) {}

    std::string_view ask(std::string_view request) {
        const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port_);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        EXPECT_EQ(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
        // A closed connection is an answer too.
        if (::send(fd, request.data(), request.size(), MSG_NOSIGNAL) < 0) return ::close(fd), std::string_view();
        size_t n = 0;
        while (n < answer_.size()) {
            const ssize_t more = ::recv(fd, answer_.data() + n, answer_.size() - n, 0);
            if (more < 0 && errno == EINTR) continue;
            if (more <= 0) break;
            n += static_cast<size_t>(more);
        }
        ::close(fd);
        return {answer_.data(), n};
    }

private:
    uint16_t port_;
    std::array<char, 65536> answer_;
};

// No JSON: its library needs memory to destroy some, in destructors that cannot throw.
class Echo final : public Handler {
public:
    void handle(HttpRequest request, std::shared_ptr<Exchange> exchange) override { exchange->respond({.body = std::move(request.body)}); }
    void on_done(const ExchangeRecord&) override {}
};

TEST(AllocationFailure, WhileAConnectionIsServed) {
    HttpOptions options;
    options.port = 0;
    Echo echo;
    HttpServer server(options, echo);
    std::thread thread([&] { server.run(); });
    Client client(server.port());
    const std::string_view request =
        "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nmind\r\n0\r\n\r\n";
    for (int i = 0; i < 3; ++i) client.ask(request);  // makes what is made once
    const long before = n_allocated();
    long n_failed = 0;
    for (bool happened = true; happened && !HasFailure(); n_failed += happened) {
        {
            const FailingAllocation failing(n_failed + 1);
            client.ask(request);
            happened = failing.happened();
        }
        EXPECT_TRUE(client.ask(request).ends_with("\r\n\r\nmind")) << "after allocation " << n_failed + 1 << " failed";
    }
    EXPECT_GT(n_failed, 20);
    EXPECT_LT(n_allocated() - before, n_failed / 2);  // what Asio keeps for the next ones; less than one for each failure
    std::raise(SIGTERM);
    thread.join();
}

}  // namespace
}  // namespace kylin::server
