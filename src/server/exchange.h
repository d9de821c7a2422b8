// One request and the way of its answer: what a connection gives to a route. There is no socket in it, so routes are tested without one.
// Everything here happens on the I/O thread.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kylin::server {

struct HttpRequest {
    std::string id;  // in the log and in X-Request-Id
    std::string method, target, body;
    std::map<std::string, std::string, std::less<>> fields;  // names in lower case

    std::string_view path() const { return std::string_view(target).substr(0, target.find('?')); }
    // The value of "name=value" behind the path, as it stands there: who needs escapes must undo them.
    std::string_view query(std::string_view name) const {
        std::string_view rest = std::string_view(target).substr(path().size());
        while (!rest.empty()) {
            rest.remove_prefix(1);
            const std::string_view pair = rest.substr(0, rest.find('&'));
            if (pair.size() > name.size() && pair.starts_with(name) && pair[name.size()] == '=') return pair.substr(name.size() + 1);
            rest.remove_prefix(pair.size());
        }
        return {};
    }
    std::string_view field(std::string_view name) const {
        const auto it = fields.find(name);
        return it == fields.end() ? std::string_view() : std::string_view(it->second);
    }
};

struct HttpResponse {
    int status = 200;
    std::string body = {};
    std::string content_type = "application/json";
    std::vector<std::pair<std::string, std::string>> fields = {};
};

// The answer: either one response(), or begin_events(), send()…, end(). Calls after abandonment do nothing.
class Exchange {
public:
    virtual ~Exchange() = default;
    virtual void respond(HttpResponse response) = 0;
    virtual void begin_events() = 0;  // 200, text/event-stream
    virtual void send(std::string_view events) = 0;
    virtual void end() = 0;
    // Called at most once, when the client has gone or reads so slowly that its answer fills the buffer.
    virtual void on_abandoned(std::function<void()> call) = 0;
    // " key=value" for the log.
    virtual void note(std::string_view text) = 0;
    // More fields for the head of the answer, from whoever sees the request first.
    virtual void add_field(std::string name, std::string value) = 0;
};

struct ExchangeRecord {
    std::string id, method, path, note;
    int status = 0;
    size_t bytes_in = 0, bytes_out = 0;
    double seconds = 0;
    bool abandoned = false;
};

class Handler {
public:
    virtual ~Handler() = default;
    virtual void handle(HttpRequest request, std::shared_ptr<Exchange> exchange) = 0;
    virtual void on_done(const ExchangeRecord& record) = 0;
};

}  // namespace kylin::server
