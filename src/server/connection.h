// One client: reads its requests one after the other, hands each to the handler, and writes the answer.
#pragma once
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <optional>
#include <string>

#include "server/http_server.h"

namespace kylin::server {

namespace asio = boost::asio;

// What a coroutine waits for until another part of the same thread says that something has changed.
class Signal {
public:
    explicit Signal(const asio::any_io_executor& executor) : timer_(executor, asio::steady_timer::time_point::max()) {}
    asio::awaitable<void> wait();
    void notify() { timer_.cancel(); }

private:
    asio::steady_timer timer_;
};

class Outgoing;

class Connection : public std::enable_shared_from_this<Connection> {
public:
    struct Shared {  // what all connections of a server have in common
        const HttpOptions& options;
        Handler& handler;
        std::function<std::string()> next_id;
        std::function<void(Connection*)> on_closed;
    };
    Connection(asio::ip::tcp::socket socket, const Shared& shared);

    void start();
    void drain();  // ends after the request that is being answered, at once when there is none
    void abort();
    void forget();  // the server goes away; what Asio destroys afterwards tells nobody

private:
    class AtEnd;
    void on_read_end();
    void on_served();
    struct Incoming;
    // Each keeps this object.
    asio::awaitable<void> read(std::shared_ptr<Connection> self);  // moves bytes from the socket to input_ until the client has gone
    asio::awaitable<void> serve(std::shared_ptr<Connection> self);
    asio::awaitable<bool> serve_one();  // whether the connection stays
    asio::awaitable<FramingError> read_head(Incoming& incoming);
    asio::awaitable<FramingError> read_body(Incoming& incoming);
    asio::awaitable<FramingError> wait_for_input();  // when all of input_ has been seen: an error when no more will come
    asio::awaitable<bool> write(std::string_view bytes);
    asio::awaitable<bool> answer(Incoming& incoming);
    asio::awaitable<void> refuse(const FramingError& error, const Incoming& incoming);
    asio::awaitable<void> linger();
    void on_answer_grown();
    void set_deadline(double seconds);  // from now; 0: none
    void take_input(size_t n) { input_.erase(0, n), room_.notify(); }
    bool lost() const { return peer_gone_ || timed_out_ || aborted_; }

    asio::ip::tcp::socket socket_;
    const Shared* shared_;  // null: the server is gone
    asio::steady_timer deadline_;
    Signal changed_, room_;
    std::string input_;
    std::shared_ptr<Outgoing> outgoing_;
    bool peer_gone_ = false, timed_out_ = false, aborted_ = false, draining_ = false, discarding_ = false, writing_ = false;
};

}  // namespace kylin::server
