// GET /numerics: what the values of an answer were like, in the format kylin.numerics/1 (docs/web-page.md has its grammar).
#include <cmath>
#include <fmt/format.h>

#include "server/api.h"
#include "server/calls.h"
#include "server/json.h"

namespace kylin::server {
namespace {

Json stages() {
    Json list = Json::array();
    for (const StageInfo& stage : stage_table)
        list.push_back({{"name", stage.name}, {"per_layer", stage.scope == Scope::per_layer}, {"meaning", stage.meaning}});
    return list;
}

Json layer_of(Stage stage, size_t layer) { return info(stage).scope == Scope::once ? Json() : Json(layer); }

Json to_json(const WatchedAnswer& answer) {
    Json largest = Json::object(), not_finite = Json::array();
    for (size_t i = 0; i < n_stages; ++i) {
        const auto stage = static_cast<Stage>(i);
        const auto cells = answer.activations.of(stage);
        for (size_t layer = 0; layer < cells.size(); ++layer) {
            const Activations::Cell& cell = cells[layer];
            largest[std::string(info(stage).name)].push_back(cell.largest < 0 ? Json() : Json(cell.largest));
            if (cell.nan + cell.inf > 0)
                not_finite.push_back(
                    {{"stage", info(stage).name}, {"layer", layer_of(stage, layer)}, {"nan", cell.nan}, {"inf", cell.inf}});
        }
    }
    return {{"id", answer.id},
            {"prompt_tokens", answer.usage.n_prompt},
            {"cached_tokens", answer.usage.n_reused},
            {"answer_tokens", answer.usage.n_answer},
            {"largest", std::move(largest)},
            {"not_finite", std::move(not_finite)}};
}

// null where nothing was compared, or where a value is not finite.
Json number(double x) { return std::isfinite(x) ? Json(x) : Json(); }

Json to_json(const AuditFigures& audit) {
    const parity::Audited& sum = audit.sum;
    Json worst;
    if (sum.worst)
        worst = {{"stage", info(sum.worst->at.stage).name},
                 {"layer", layer_of(sum.worst->at.stage, static_cast<size_t>(sum.worst->at.layer))},
                 {"relative_error", number(sum.worst->relative_error)}};
    return {{"share", audit.share},         {"requests", audit.requests},
            {"waiting", audit.waiting},     {"dropped", audit.dropped},
            {"too_long", audit.too_long},   {"not_reproduced", audit.not_reproduced},
            {"tokens", sum.n_tokens},       {"kl_mean", number(sum.kl_sum / sum.n_tokens)},
            {"kl_max", number(sum.kl_max)}, {"top1_agreement", number(static_cast<double>(sum.n_same_top) / sum.n_tokens)},
            {"worst", std::move(worst)}};
}

const WatchedAnswer* asked_for(const ApiContext& context, const HttpRequest& request) {
    const std::string_view id = request.query("id");
    if (id.empty()) return context.watched.last();
    const WatchedAnswer* answer = context.watched.find(id);
    if (!answer)
        throw CallRefused{404, fmt::format("this answer was not watched, or is not among the last {} that were", WatchedAnswers::n_kept),
                          "id"};
    return answer;
}

}  // namespace

void get_numerics(ApiContext& context, const Asked& asked) {
    asked.exchange->add_field("Vary", "Accept");  // browsers get a page here
    const WatchedAnswer* answer = asked_for(context, asked.request);
    const Json json = {{"format", "kylin.numerics/1"},
                       {"model", {{"name", context.model.name}, {"n_layer", context.model.config.n_layer}}},
                       {"stages", stages()},
                       {"answer", answer ? to_json(*answer) : Json()},
                       {"audit", context.model.audit ? to_json(context.model.audit->figures()) : Json()}};
    asked.exchange->respond({.body = dump(json) + "\n"});
}

}  // namespace kylin::server
