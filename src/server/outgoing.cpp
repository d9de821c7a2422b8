#include "server/outgoing.h"

#include <fmt/format.h>
#include <new>

#include "server/http_error.h"

namespace kylin::server {
namespace {

bool has_body(int status) { return status != 204 && status != 304; }

}  // namespace

Outgoing::Outgoing(ExchangeRecord record, const Terms& terms, std::function<void()> wake)
    : record_(std::move(record)), terms_(terms), wake_(std::move(wake)) {}

std::string Outgoing::head(const HttpResponse& response, std::string_view framing) const {
    std::string text =
        fmt::format("HTTP/1.1 {} {}\r\nServer: kylin\r\nX-Request-Id: {}\r\n", response.status, reason_phrase(response.status), record_.id);
    if (has_body(response.status)) text += fmt::format("Content-Type: {}\r\nX-Content-Type-Options: nosniff\r\n", response.content_type);
    for (const auto& [name, value] : fields_) text += fmt::format("{}: {}\r\n", name, value);
    for (const auto& [name, value] : response.fields) text += fmt::format("{}: {}\r\n", name, value);
    return text + fmt::format("{}Connection: {}\r\n\r\n", framing, terms_.keep_alive ? "keep-alive" : "close");
}

// From here on nothing else can be said instead, so `bytes` is whole.
void Outgoing::begin(int status, std::string bytes) {
    started_ = true;
    record_.status = status;
    bytes_ = std::move(bytes);
    record_.bytes_out += bytes_.size();
}

void Outgoing::respond(HttpResponse response) {
    if (finished_ || started_) return;
    std::string bytes = head(response, !has_body(response.status) ? "" : fmt::format("Content-Length: {}\r\n", response.body.size()));
    if (!terms_.head_only) bytes += response.body;
    begin(response.status, std::move(bytes));
    end();
}

void Outgoing::begin_events() {
    if (finished_ || started_) return;
    // HTTP/1.0 knows no chunks: there the end of the connection is the end of the answer.
    if (!terms_.chunked) terms_.keep_alive = false;
    const HttpResponse response{.content_type = "text/event-stream; charset=utf-8", .fields = {{"Cache-Control", "no-store"}}};
    begin(response.status, head(response, terms_.chunked ? "Transfer-Encoding: chunked\r\n" : ""));
    streaming_ = true;
    wake_();
}

void Outgoing::send(std::string_view events) {
    if (finished_ || events.empty()) return;
    const size_t before = bytes_.size();
    if (terms_.chunked)
        bytes_ += fmt::format("{:x}\r\n{}\r\n", events.size(), events);
    else
        bytes_ += events;
    record_.bytes_out += bytes_.size() - before;
    if (bytes_.size() > terms_.max_pending) {
        overflowed_ = true;
        abandon();
    }
    wake_();
}

void Outgoing::end() {
    if (finished_) return;
    if (streaming_ && terms_.chunked) bytes_ += "0\r\n\r\n";
    finished_ = true;
    on_abandoned_ = nullptr;
    wake_();
}

void Outgoing::on_abandoned(std::function<void()> call) {
    if (record_.abandoned) return call();
    if (!finished_) on_abandoned_ = std::move(call);
}

void Outgoing::abandon() {
    if (finished_) return;
    finished_ = record_.abandoned = true;
    // The call may drop the last other reference to what it is about.
    const auto call = std::exchange(on_abandoned_, nullptr);
    if (!call) return;
    try {
        call();
    } catch (const std::bad_alloc&) {
        // Without memory to cancel it, the answer goes on to its end, for nobody.
    }
}

ExchangeRecord Outgoing::record() const {
    ExchangeRecord record = record_;
    record.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun_).count();
    return record;
}

}  // namespace kylin::server
