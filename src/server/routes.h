// From a request to the function that answers it, with everything that holds for all of them: access, errors, counts, the log.
#pragma once
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "server/access.h"
#include "server/api.h"
#include "server/exchange.h"
#include "server/generations.h"
#include "server/metrics.h"
#include "server/served_model.h"

namespace kylin::server {

struct RouteEntry {
    std::string_view method, path;
    Route answer;
    bool open = false;    // needs no API key
    bool polled = false;  // asked for every few seconds: not logged while all is well
};

std::span<const RouteEntry> route_table();

class Routes final : public Handler {
public:
    using Log = std::function<void(const ExchangeRecord&)>;
    Routes(const ServedModel& model, AccessRules rules, Log log);

    // Before the first request.
    void connect(std::function<Generations::Poster()> make_poster, std::function<size_t()> n_connections);

    void handle(HttpRequest request, std::shared_ptr<Exchange> exchange) override;
    void on_done(const ExchangeRecord& record) override;

private:
    const ServedModel& model_;
    AccessRules rules_;
    Log log_;
    Metrics metrics_;
    WatchedAnswers watched_;
    Generations generations_;
    ApiContext context_;
};

}  // namespace kylin::server
