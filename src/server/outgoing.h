// The answer to one request as bytes that wait to be written: head, and body or chunks.
#pragma once
#include <chrono>
#include <functional>
#include <string>

#include "server/exchange.h"

namespace kylin::server {

class Outgoing final : public Exchange {
public:
    struct Terms {  // what the request and the connection demand of the answer
        bool keep_alive = false, head_only = false, chunked = true;
        size_t max_pending = 0;
    };
    Outgoing(ExchangeRecord record, const Terms& terms, std::function<void()> wake);

    void respond(HttpResponse response) override;
    void begin_events() override;
    void send(std::string_view events) override;
    void end() override;
    void on_abandoned(std::function<void()> call) override;
    void note(std::string_view text) override { record_.note += text; }
    void add_field(std::string name, std::string value) override { fields_.emplace_back(std::move(name), std::move(value)); }

    // For the connection.
    std::string take_bytes() { return std::exchange(bytes_, {}); }
    bool has_bytes() const { return !bytes_.empty(); }
    bool finished() const { return finished_; }
    bool overflowed() const { return overflowed_; }
    bool keep_alive() const { return terms_.keep_alive; }
    void abandon();
    void close_after() { terms_.keep_alive = false; }
    ExchangeRecord record() const;

private:
    std::string head(const HttpResponse& response, std::string_view framing) const;
    void begin(int status, std::string bytes);
    ExchangeRecord record_;
    Terms terms_;
    std::function<void()> wake_, on_abandoned_;
    std::vector<std::pair<std::string, std::string>> fields_;
    std::string bytes_;
    std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
    bool started_ = false, streaming_ = false, finished_ = false, overflowed_ = false;
};

}  // namespace kylin::server
