#include "server/http_server.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <fmt/format.h>
#include <new>
#include <random>
#include <thread>
#include <unordered_map>

#include "base/error.h"
#include "server/connection.h"

namespace kylin::server {
namespace {

using asio::ip::tcp;

// Each stream may hold this much in the kernel, besides HttpOptions::max_pending here.
constexpr int send_buffer_bytes = 65536;

uint32_t random_word() {
    std::random_device device;
    return device();
}

}  // namespace

struct HttpServer::State {
    State(const HttpOptions& given, Handler& handler)
        : options(given),
          io(1),
          acceptor(io),
          signals(io),
          drain_deadline(io),
          shared{options, handler, [this] { return next_id(); }, [this](Connection* c) { on_closed(c); }} {}

    ~State() {
        for (const auto& [key, connection] : connections) connection->forget();
    }
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    void listen();
    void run();
    asio::awaitable<void> accept();
    void begin(tcp::socket socket);
    void watch_signals();
    void on_signal();
    void abort_all();
    void on_closed(Connection* connection);
    std::string next_id() { return fmt::format("{:08x}-{}", boot, ++n_requests); }

    HttpOptions options;
    asio::io_context io;
    tcp::acceptor acceptor;
    asio::signal_set signals;
    asio::steady_timer drain_deadline;
    Connection::Shared shared;
    std::unordered_map<Connection*, std::shared_ptr<Connection>> connections;
    uint32_t boot = random_word();  // tells the requests of two runs apart
    uint64_t n_requests = 0;
    bool draining = false, accepting = false;
};

void HttpServer::State::listen() {
    const std::string where = fmt::format("{}:{}", options.host, options.port);
    try {
        boost::system::error_code error;
        const auto address = asio::ip::make_address(options.host == "localhost" ? "127.0.0.1" : options.host, error);
        if (error) throw InputError("--host", "\"" + options.host + "\" is no IP address");
        const tcp::endpoint endpoint(address, options.port);
        acceptor.open(endpoint.protocol());
        acceptor.set_option(tcp::acceptor::reuse_address(true));
        acceptor.bind(endpoint);
        acceptor.listen();
    } catch (const boost::system::system_error& e) {
        throw InputError(where, e.code().message());
    }
}

void HttpServer::State::run() {
    for (bool goes_on = true; goes_on;) {
        try {
            if (!accepting && acceptor.is_open()) {
                asio::co_spawn(io, accept(), asio::detached);
                accepting = true;  // until accept() is gone, however it ends
            }
            goes_on = io.run_one() > 0;
        } catch (const std::bad_alloc&) {
            // Asio's own, on the way to a coroutine, which is lost: that of the client who comes just now, or the accepting one.
            std::this_thread::sleep_for(std::chrono::milliseconds(1));  // there may be memory again
        }
    }
}

asio::awaitable<void> HttpServer::State::accept() {
    const std::unique_ptr<bool, void (*)(bool*)> end(&accepting, [](bool* flag) { *flag = false; });
    asio::steady_timer pause(io);
    while (acceptor.is_open()) {
        auto [error, socket] = co_await acceptor.async_accept(asio::as_tuple(asio::use_awaitable));
        if (error == asio::error::operation_aborted) break;
        if (error) {
            // No more file descriptors, say: some will be free again.
            pause.expires_after(std::chrono::milliseconds(50));
            co_await pause.async_wait(asio::as_tuple(asio::use_awaitable));
            continue;
        }
        if (connections.size() < options.max_connections) begin(std::move(socket));  // else it closes
    }
}

void HttpServer::State::begin(tcp::socket socket) {
    boost::system::error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    socket.set_option(asio::socket_base::send_buffer_size(send_buffer_bytes), ignored);
    std::shared_ptr<Connection> connection;
    try {
        connection = std::make_shared<Connection>(std::move(socket), shared);
        connections[connection.get()] = connection;
        connection->start();
    } catch (const std::bad_alloc&) {
        // This client goes away empty; the next one may find memory.
        if (!connection) return;
        connections.erase(connection.get());
        connection->abort();
    }
}

void HttpServer::State::watch_signals() {
    signals.async_wait([this](boost::system::error_code error, int) {
        if (!error) on_signal();
    });
}

void HttpServer::State::on_signal() {
    boost::system::error_code ignored;
    if (draining) {
        signals.clear(ignored);  // from here on a signal does what it does to any process
        return abort_all();
    }
    draining = true;
    acceptor.close(ignored);
    drain_deadline.expires_after(std::chrono::milliseconds(static_cast<int64_t>(options.drain_seconds * 1000)));
    drain_deadline.async_wait([this](boost::system::error_code error) {
        if (!error) abort_all();
    });
    watch_signals();
    const auto copy = connections;
    for (const auto& [key, connection] : copy) connection->drain();
    if (connections.empty()) on_closed(nullptr);
}

void HttpServer::State::abort_all() {
    const auto copy = connections;
    for (const auto& [key, connection] : copy) connection->abort();
}

void HttpServer::State::on_closed(Connection* connection) {
    connections.erase(connection);
    if (!draining || !connections.empty()) return;
    // Nothing is left that run() waits for, but for the events of requests that were just cancelled.
    boost::system::error_code ignored;
    signals.cancel(ignored);
    drain_deadline.cancel();
}

HttpServer::HttpServer(const HttpOptions& options, Handler& handler) : state_(std::make_unique<State>(options, handler)) {
    state_->listen();
}

HttpServer::~HttpServer() = default;

uint16_t HttpServer::port() const { return state_->acceptor.local_endpoint().port(); }

size_t HttpServer::n_connections() const { return state_->connections.size(); }

std::function<void(std::function<void()>)> HttpServer::poster() const {
    return [executor = asio::prefer(state_->io.get_executor(), asio::execution::outstanding_work.tracked)](std::function<void()> call) {
        asio::post(executor, std::move(call));
    };
}

void HttpServer::run() {
    state_->signals.add(SIGTERM);
    state_->signals.add(SIGINT);
    state_->watch_signals();
    state_->run();
}

}  // namespace kylin::server
