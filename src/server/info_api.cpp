// What the server says about itself and its model.
#include <cmath>

#include "server/api.h"
#include "server/api_document.h"
#include "server/json.h"

namespace kylin::server {
namespace {

// What a request gets that leaves the setting out.
Json recommended(const Sampling& sampling) {
    Json json = Json::object();
    for (const SamplingField& field : sampling_fields())
        std::visit([&](auto member) { json[std::string(field.name)] = sampling.*member; }, field.member);
    return json;
}

void respond(const Asked& asked, const Json& json) { asked.exchange->respond({.body = dump(json) + "\n"}); }

}  // namespace

void get_root(ApiContext& context, const Asked& asked) {
    asked.exchange->add_field("Vary", "Accept");  // browsers get a page here
    respond(asked, {{"server", "kylin " + context.model.version}, {"model", context.model.name}, {"routes", context.routes}});
}

void get_health(ApiContext&, const Asked& asked) { respond(asked, {{"status", "ok"}}); }

void get_model_info(ApiContext& context, const Asked& asked) {
    const ServedModel& model = context.model;
    const Config& c = model.config;
    respond(asked, {{"name", model.name},
                    {"architecture", c.architecture},
                    {"vocabulary", c.n_vocab},
                    {"layers", c.n_layer},
                    {"embedding_width", c.n_embd},
                    {"feed_forward_width", c.n_ff},
                    {"heads", c.attention.n_head},
                    {"kv_heads", c.attention.n_head_kv},
                    {"head_width", c.attention.head_dim},
                    {"trained_context", c.n_ctx_train},
                    {"context", model.limits.n_ctx},
                    {"parallel", model.n_parallel},
                    {"recommended", recommended(model.defaults)}});
}

void get_models(ApiContext& context, const Asked& asked) {
    const Json entry = {{"id", context.model.name}, {"object", "model"}, {"created", 0}, {"owned_by", "kylin"}};
    respond(asked, {{"object", "list"}, {"data", Json::array({entry})}});
}

void get_openapi(ApiContext& context, const Asked& asked) { respond(asked, openapi_document(context.model.version)); }

void get_metrics(ApiContext& context, const Asked& asked) {
    const Audit* audit = context.model.audit;
    asked.exchange->respond({.body = context.metrics.text({.load = context.model.engine.load(),
                                                           .watched = context.watched,
                                                           .audit = audit ? std::optional(audit->figures()) : std::nullopt,
                                                           .n_connections = context.n_connections(),
                                                           .version = context.model.version}),
                             .content_type = "text/plain; version=0.0.4; charset=utf-8"});
}

void get_slots(ApiContext& context, const Asked& asked) {
    const EngineLoad load = context.model.engine.load();
    Json answers = Json::array();
    for (const Generations::View& view : context.generations.running())
        answers.push_back({{"request", view.request_id},
                           {"choice", view.choice},
                           {"prompt_tokens", view.n_prompt},
                           {"answer_tokens", view.n_answer},
                           {"seconds", std::round(view.seconds * 1000) / 1000}});
    respond(asked, {{"parallel", context.model.n_parallel},
                    {"running", load.n_running},
                    {"waiting", load.n_waiting},
                    {"kv_pages", {{"total", load.n_pages}, {"used", load.n_pages_used}, {"kept", load.n_pages_kept}}},
                    {"answers", std::move(answers)}});
}

}  // namespace kylin::server
