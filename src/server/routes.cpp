#include "server/routes.h"

#include <algorithm>
#include <array>
#include <exception>
#include <fmt/format.h>

#include "base/error.h"
#include "server/calls.h"
#include "server/http_error.h"
#include "server/pages.h"

namespace kylin::server {
namespace {

constexpr auto entries = std::to_array<RouteEntry>({
    {"GET", "/", get_root, true},
    {"GET", "/health", get_health, true, true},
    {"GET", "/openapi.json", get_openapi, true},
    {"GET", "/model/info", get_model_info},
    {"POST", "/generate", post_generate},
    {"POST", "/generate_stream", post_generate_stream},
    {"POST", "/encode", post_encode},
    {"POST", "/decode", post_decode},
    {"POST", "/benchmark", post_benchmark},
    {"GET", "/v1/models", get_models},
    {"POST", "/v1/chat/completions", post_chat_completions},
    {"POST", "/v1/completions", post_completions},
    {"POST", "/v1/embeddings", post_embeddings},
    {"GET", "/metrics", get_metrics, false, true},
    {"GET", "/slots", get_slots, false, true},
    {"GET", "/numerics", get_numerics},
});

const RouteEntry* find(std::string_view path) {
    const auto it = std::find_if(entries.begin(), entries.end(), [&](const RouteEntry& e) { return e.path == path; });
    return it == entries.end() ? nullptr : &*it;
}

HttpResponse wrong_method(const RouteEntry& entry) {
    HttpResponse response = error_response(405, fmt::format("{} takes {}", entry.path, entry.method));
    response.fields.emplace_back("Allow", entry.method == "GET" ? "GET, HEAD" : std::string(entry.method));
    return response;
}

HttpResponse overloaded() {
    HttpResponse response = error_response(429, "too many requests are waiting; try again later");
    response.fields.emplace_back("Retry-After", "1");
    return response;
}

// InputError reads "where: what"; the field is named apart as well.
HttpResponse bad_request(const InputError& error) { return error_response(400, error.what(), error.where()); }

}  // namespace

std::span<const RouteEntry> route_table() { return entries; }

Routes::Routes(const ServedModel& model, AccessRules rules, Log log)
    : model_(model),
      rules_(std::move(rules)),
      log_(std::move(log)),
      generations_(model.engine, {metrics_, watched_, model.audit}, static_cast<size_t>(model.n_parallel + model.n_queue)),
      context_{model_, metrics_, generations_, watched_, {}, {}} {
    for (const RouteEntry& entry : entries) context_.routes.push_back(fmt::format("{} {}", entry.method, entry.path));
}

void Routes::connect(std::function<Generations::Poster()> make_poster, std::function<size_t()> n_connections) {
    generations_.post_with(std::move(make_poster));
    context_.n_connections = std::move(n_connections);
}

void Routes::handle(HttpRequest request, std::shared_ptr<Exchange> exchange) {
    for (auto& [name, value] : cors_fields(request, rules_)) exchange->add_field(std::move(name), std::move(value));
    const RouteEntry* entry = find(request.path());
    auto page = page_response(request);
    if (auto refusal = check_access(request, rules_, page || (entry && entry->open) || request.method == "OPTIONS"))
        return exchange->respond(std::move(*refusal));
    if (page) return exchange->respond(std::move(*page));
    if (!entry) return exchange->respond(error_response(404, "there is nothing at this path"));
    if (request.method == "OPTIONS") return exchange->respond({.status = 204});
    if (request.method != entry->method && !(request.method == "HEAD" && entry->method == "GET"))
        return exchange->respond(wrong_method(*entry));
    try {
        entry->answer(context_, {request, exchange});
    } catch (const InputError& error) {
        exchange->respond(bad_request(error));
    } catch (const CallRefused& refused) {
        exchange->respond(error_response(refused.status, refused.what, refused.param));
    } catch (const QueueFull&) {
        exchange->respond(overloaded());
    } catch (const std::exception& error) {
        exchange->note(fmt::format(" error=\"{}\"", error.what()));
        exchange->respond(error_response(500, "the request could not be worked on"));
    }
}

void Routes::on_done(const ExchangeRecord& record) {
    const RouteEntry* entry = find(record.path);
    ++metrics_.http_requests[{entry ? std::string(entry->path) : "other", record.status}];
    if (record.abandoned) ++metrics_.abandoned;
    if (!(entry && entry->polled && record.status == 200)) log_(record);
}

}  // namespace kylin::server
