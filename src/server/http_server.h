// HTTP/1.1 on one I/O thread: the one that calls run(). A slow or hostile client costs a bounded amount of memory and time.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "server/exchange.h"
#include "server/framing.h"

namespace kylin::server {

struct HttpOptions {
    std::string host = "127.0.0.1";
    uint16_t port = 8080;  // 0: any free one
    HeadLimits head;
    size_t max_body = size_t{4} << 20;
    size_t max_pending = size_t{256} << 10;  // bytes of events that wait for a slow reader
    size_t max_connections = 1024;
    double head_seconds = 10;   // from the first byte to the last of a header
    double body_seconds = 30;   // of a body
    double idle_seconds = 60;   // between two requests
    double write_seconds = 30;  // without progress
    double drain_seconds = 60;  // what runs may go on for so long after the first signal
};

class HttpServer {
public:
    // Listens at once. Throws InputError when it cannot. The handler must outlive the server.
    HttpServer(const HttpOptions& options, Handler& handler);
    ~HttpServer();

    uint16_t port() const;
    size_t n_connections() const;  // I/O thread
    // Any thread: runs it on the I/O thread. run() does not return while a copy of this exists.
    std::function<void(std::function<void()>)> poster() const;
    // Serves until SIGTERM or SIGINT, then finishes what runs. A second signal ends what runs; a third kills the process.
    void run();

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace kylin::server
