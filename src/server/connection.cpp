#include "server/connection.h"

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <chrono>

#include "server/http_error.h"
#include "server/outgoing.h"

namespace kylin::server {
namespace {

namespace http = boost::beast::http;

constexpr auto no_throw = asio::as_tuple(asio::use_awaitable);
// More than a head, so that a whole one always fits; what a client sends ahead of its answers waits here or in the kernel.
constexpr size_t max_input = 65536;
constexpr double linger_seconds = 2;

}  // namespace

// A request while it arrives.
struct Connection::Incoming {
    HttpRequest request;
    bool has_head = false, keep_alive = false, is_1_1 = false, is_chunked = false, expects_continue = false;
    size_t content_length = 0;

    FramingError parse(std::string_view head);
};

// The text has passed check_head; Beast reads it once more, and must agree.
FramingError Connection::Incoming::parse(std::string_view head) {
    http::request_parser<http::empty_body> parser;
    parser.header_limit(static_cast<uint32_t>(head.size() + 1));
    parser.body_limit(boost::none);
    boost::system::error_code error;
    parser.put(asio::buffer(head.data(), head.size()), error);
    if ((error && error != http::error::need_more) || !parser.is_header_done()) return {400, "the header is malformed"};
    const auto& message = parser.get();
    request.method = std::string(message.method_string());
    request.target = std::string(message.target());
    for (const auto& field : message) request.fields[lower(std::string(field.name_string()))] = std::string(field.value());
    keep_alive = message.keep_alive();
    is_1_1 = message.version() == 11;
    is_chunked = message.chunked();
    expects_continue = is_1_1 && request.fields.contains("expect");
    content_length = static_cast<size_t>(parser.content_length().value_or(0));
    has_head = true;
    return {};
}

asio::awaitable<void> Signal::wait() { co_await timer_.async_wait(no_throw); }

Connection::Connection(asio::ip::tcp::socket socket, const Shared& shared)
    : socket_(std::move(socket)),
      shared_(&shared),
      deadline_(socket_.get_executor()),
      changed_(socket_.get_executor()),
      room_(socket_.get_executor()) {}

// The first thing in a coroutine, and so the last one to go with it, whether it returns, throws, or is destroyed where Asio had no memory
// to resume it: the other one learns of it, and nothing is left behind.
class Connection::AtEnd {
public:
    AtEnd(std::shared_ptr<Connection> connection, void (Connection::*call)()) : connection_(std::move(connection)), call_(call) {}
    AtEnd(const AtEnd&) = delete;
    AtEnd& operator=(const AtEnd&) = delete;
    ~AtEnd() { (connection_.get()->*call_)(); }

private:
    std::shared_ptr<Connection> connection_;
    void (Connection::*call_)();
};

void Connection::start() {
    asio::co_spawn(socket_.get_executor(), read(shared_from_this()), asio::detached);
    asio::co_spawn(socket_.get_executor(), serve(shared_from_this()), asio::detached);
}

void Connection::forget() { shared_ = nullptr; }

void Connection::on_read_end() {
    if (!shared_) return;
    peer_gone_ = true;
    if (outgoing_) outgoing_->abandon();
    changed_.notify();
}

void Connection::on_served() {
    if (!shared_) return;
    set_deadline(0);
    abort();
    shared_->on_closed(this);
}

void Connection::drain() {
    draining_ = true;
    if (outgoing_) outgoing_->close_after();
    changed_.notify();
}

void Connection::abort() {
    aborted_ = true;
    boost::system::error_code ignored;
    socket_.close(ignored);
    if (outgoing_) outgoing_->abandon();
    changed_.notify();
    room_.notify();
}

void Connection::set_deadline(double seconds) {
    deadline_.expires_at(asio::steady_timer::time_point::max());
    if (seconds <= 0) return;
    deadline_.expires_after(std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(seconds)));
    deadline_.async_wait([self = weak_from_this(), at = deadline_.expiry()](boost::system::error_code error) {
        const auto connection = self.lock();
        // A deadline that was moved after this one had come is not meant.
        if (error || !connection || connection->deadline_.expiry() != at) return;
        if (connection->writing_) return connection->abort();
        connection->timed_out_ = true;
        connection->changed_.notify();
    });
}

// Whoever does not read is cut off at once: a write to them would only end with its time.
void Connection::on_answer_grown() {
    if (outgoing_ && outgoing_->overflowed()) return abort();
    changed_.notify();
}

asio::awaitable<void> Connection::read(std::shared_ptr<Connection> self) {
    const AtEnd end(std::move(self), &Connection::on_read_end);
    std::array<char, 8192> piece;
    while (!aborted_) {
        if (!discarding_ && input_.size() >= max_input) {
            co_await room_.wait();
            continue;
        }
        const auto [error, n] = co_await socket_.async_read_some(asio::buffer(piece), no_throw);
        if (error) break;
        if (!discarding_) input_.append(piece.data(), n);
        changed_.notify();
    }
}

asio::awaitable<void> Connection::serve(std::shared_ptr<Connection> self) {
    const AtEnd end(std::move(self), &Connection::on_served);
    // Not as the loop's condition: GCC 12 makes a trap of a coroutine that is nothing but such a loop with an empty body.
    bool stays = true;
    while (stays) stays = co_await serve_one();
}

asio::awaitable<bool> Connection::serve_one() {
    Incoming incoming;
    FramingError error = co_await read_head(incoming);
    if (error || incoming.has_head) incoming.request.id = shared_->next_id();
    if (!error && incoming.has_head) error = co_await read_body(incoming);
    set_deadline(0);
    if (error && !peer_gone_ && !aborted_) co_await refuse(error, incoming);
    if (error || !incoming.has_head) co_return false;
    co_return co_await answer(incoming);
}

asio::awaitable<FramingError> Connection::wait_for_input() {
    if (timed_out_) co_return FramingError{408, "the request did not arrive in time"};
    if (peer_gone_ || aborted_) co_return FramingError{400, "the client has gone"};
    co_await changed_.wait();
    co_return FramingError{};
}

// Without an error and without a head, nothing has been asked.
asio::awaitable<FramingError> Connection::read_head(Incoming& incoming) {
    set_deadline(shared_->options.idle_seconds);
    while (input_.empty() && !lost() && !draining_) co_await changed_.wait();
    if (input_.empty()) co_return FramingError{};
    set_deadline(shared_->options.head_seconds);
    timed_out_ = false;
    HeadScanner scanner(shared_->options.head);
    for (;;) {
        if (FramingError error = scanner.scan(input_)) co_return error;
        if (scanner.complete()) break;
        if (FramingError error = co_await wait_for_input()) co_return error;
    }
    const std::string head = input_.substr(0, scanner.size());
    take_input(head.size());
    if (FramingError error = check_head(head, shared_->options.head)) co_return error;
    co_return incoming.parse(head);
}

asio::awaitable<FramingError> Connection::read_body(Incoming& incoming) {
    const size_t limit = shared_->options.max_body;
    if (incoming.content_length > limit) co_return FramingError{413, "the body is longer than " + std::to_string(limit) + " bytes"};
    std::string& body = incoming.request.body;
    ChunkDecoder chunks(limit);
    if (incoming.expects_continue && input_.empty()) co_await write("HTTP/1.1 100 Continue\r\n\r\n");
    set_deadline(shared_->options.body_seconds);
    for (;;) {
        if (incoming.is_chunked) {
            if (FramingError error = chunks.read(input_, body)) co_return error;
            room_.notify();
            if (chunks.complete()) co_return FramingError{};
        } else {
            const size_t n = std::min(input_.size(), incoming.content_length - body.size());
            body.append(input_, 0, n);
            take_input(n);
            if (body.size() == incoming.content_length) co_return FramingError{};
        }
        if (FramingError error = co_await wait_for_input()) co_return error;
    }
}

asio::awaitable<bool> Connection::write(std::string_view bytes) {
    // A timer for each piece that the kernel takes: a reader may be slow, but must not stand still.
    while (!bytes.empty() && !aborted_) {
        writing_ = true;
        set_deadline(shared_->options.write_seconds);
        const auto [error, n] = co_await socket_.async_write_some(asio::buffer(bytes.data(), bytes.size()), no_throw);
        writing_ = false;
        set_deadline(0);
        if (error) co_return false;
        bytes.remove_prefix(n);
    }
    co_return !aborted_;
}

asio::awaitable<bool> Connection::answer(Incoming& incoming) {
    ExchangeRecord record;
    record.id = incoming.request.id;
    record.method = incoming.request.method;
    record.path = std::string(incoming.request.path());
    record.bytes_in = incoming.request.body.size();
    outgoing_ = std::make_shared<Outgoing>(std::move(record),
                                           Outgoing::Terms{.keep_alive = incoming.keep_alive && !draining_,
                                                           .head_only = incoming.request.method == "HEAD",
                                                           .chunked = incoming.is_1_1,
                                                           .max_pending = shared_->options.max_pending},
                                           [self = weak_from_this()] {
                                               if (const auto connection = self.lock()) connection->on_answer_grown();
                                           });
    const auto outgoing = outgoing_;
    shared_->handler.handle(std::move(incoming.request), outgoing);
    // Who asks and closes its side at once still gets what is answered at once.
    if (peer_gone_) outgoing->abandon();
    bool good = !aborted_;
    while (good && !outgoing->overflowed() && (outgoing->has_bytes() || !outgoing->finished())) {
        if (outgoing->has_bytes()) {
            const std::string bytes = outgoing->take_bytes();
            good = co_await write(bytes);
        } else {
            co_await changed_.wait();
        }
        good = good && !aborted_;
    }
    outgoing->abandon();
    outgoing_.reset();
    shared_->handler.on_done(outgoing->record());
    if (!good || outgoing->overflowed() || peer_gone_) co_return false;
    if (!outgoing->keep_alive()) co_await linger();
    co_return outgoing->keep_alive();
}

asio::awaitable<void> Connection::refuse(const FramingError& error, const Incoming& incoming) {
    ExchangeRecord record;
    record.id = incoming.request.id;
    record.method = incoming.has_head ? incoming.request.method : "-";
    record.path = incoming.has_head ? std::string(incoming.request.path()) : "-";
    Outgoing outgoing(std::move(record), {}, [] {});
    outgoing.respond(error_response(error.status, error.what));
    timed_out_ = false;
    const std::string bytes = outgoing.take_bytes();
    co_await write(bytes);
    shared_->handler.on_done(outgoing.record());
    co_await linger();
}

// Closing a socket with unread bytes resets it, and the reset may overtake the answer: so what still comes is read and thrown away.
asio::awaitable<void> Connection::linger() {
    boost::system::error_code error;
    socket_.shutdown(asio::ip::tcp::socket::shutdown_send, error);
    discarding_ = true;
    input_.clear();
    room_.notify();
    set_deadline(linger_seconds);
    while (!lost()) co_await changed_.wait();
}

}  // namespace kylin::server
