// The routes, as functions from a request to an answer. Each throws InputError for what is wrong with the request.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "server/exchange.h"
#include "server/generations.h"
#include "server/served_model.h"

namespace kylin::server {

struct ApiContext {
    const ServedModel& model;
    Metrics& metrics;
    Generations& generations;
    const WatchedAnswers& watched;
    std::function<size_t()> n_connections;
    std::vector<std::string> routes;  // "GET /health", …
};

struct Asked {
    const HttpRequest& request;
    std::shared_ptr<Exchange> exchange;
};

using Route = void (*)(ApiContext&, const Asked&);

// The original's API.
void get_root(ApiContext&, const Asked&);
void get_health(ApiContext&, const Asked&);
void get_model_info(ApiContext&, const Asked&);
void post_generate(ApiContext&, const Asked&);
void post_generate_stream(ApiContext&, const Asked&);
void post_encode(ApiContext&, const Asked&);
void post_decode(ApiContext&, const Asked&);
void post_benchmark(ApiContext&, const Asked&);
// OpenAI's.
void get_models(ApiContext&, const Asked&);
void post_chat_completions(ApiContext&, const Asked&);
void post_completions(ApiContext&, const Asked&);
void post_embeddings(ApiContext&, const Asked&);
// For operators, and for programs that write programs.
void get_openapi(ApiContext&, const Asked&);
void get_metrics(ApiContext&, const Asked&);
void get_slots(ApiContext&, const Asked&);
void get_numerics(ApiContext&, const Asked&);

}  // namespace kylin::server
