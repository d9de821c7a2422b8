// kylin compare: the fast engine against a reference, stage by stage, in one short table.
#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/parity_options.h"
#include "parity/metrics.h"
#include "parity/trace.h"

namespace kylin::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Settings {
    ParityOptions input;
    std::string against = "oracle", numerics = "fast";
    bool json = false;
};

// The worst of all layers, tokens and rows of one stage.
struct StageRow {
    Stage stage;
    int layers = 0, worst_layer = 0;
    double local = 0, accumulated = 0, max_abs = 0;  // local and accumulated: relative L2 error of the worst row
    bool finite = true;
};

// What a stage may add to the error of its inputs, as a relative L2 error of a row. One Q8 rounding of the inputs costs
// 2^-8 of the largest of 32 or 256 values, about 0.7 % of a Gaussian row (numerics: NMSE 4.9e-5), more where one value dwarfs
// the others; attention adds the F16 cache's 2^-11. Ten times the first is a fault, not rounding. Without quantized weights
// only F32 sums remain: 4096 sums of 2^-24 each.
double local_limit(const Model& model) {
    for (const Weight& w : model.weights())
        if (info(w.type).values > 1) return 0.07;
    return 1e-3;
}

std::vector<StageRow> rows_of(const parity::Trace& reference, const parity::Trace& free_run, const parity::Trace& forced) {
    std::vector<StageRow> rows;
    for (size_t s = 0; s < n_stages; ++s) {
        StageRow row{.stage = static_cast<Stage>(s)};
        for (int layer = 0;; ++layer) {
            const std::string name = trace_name(row.stage, layer);
            const auto want = reference.tensors.find(name), own = free_run.tensors.find(name);
            if (want == reference.tensors.end() || own == free_run.tensors.end()) break;
            const auto accumulated = parity::difference(name, own->second, want->second);
            const auto local = parity::difference(name, forced.tensors.at(name), want->second);
            if (local.worst_row > row.local) row.local = local.worst_row, row.worst_layer = layer;
            row.accumulated = std::max(row.accumulated, accumulated.worst_row);
            row.max_abs = std::max(row.max_abs, accumulated.max_abs);
            row.finite = row.finite && accumulated.finite && local.finite;
            ++row.layers;
            if (info(row.stage).scope == Scope::once) break;
        }
        if (row.layers > 0) rows.push_back(row);
    }
    return rows;
}

class Comparison {
public:
    explicit Comparison(const Settings& settings) : s_(settings) {}

    // 0 parity, 1 divergence; what cannot be compared throws.
    int run() {
        const NumericsKind own = numerics_named(s_.numerics);
        const bool from_file = s_.against != "oracle" && s_.against != "layercast" && s_.against != "fast";
        parity::Trace reference, free_run;
        std::unique_ptr<ParityInput> input;
        if (from_file) {
            reference = parity::read_trace(s_.against);
            input = std::make_unique<ParityInput>(s_.input, reference.tokens, reference.n_prompt);
            free_run = input->record(own);
        } else {
            input = std::make_unique<ParityInput>(s_.input);
            free_run = input->record(own);
            auto again = s_.input;
            again.n_decode = 0;  // the tokens chosen by the first run are given to the second
            const ParityInput same(again, free_run.tokens, free_run.n_prompt);
            reference = same.record(numerics_named(s_.against));
        }
        const parity::Trace forced = input->record_forced(own, reference);
        rows_ = rows_of(reference, free_run, forced);
        if (rows_.empty()) throw InputError(s_.against, "has no stage in common with this model");
        limit_ = local_limit(input->model());
        const StageRow* first = first_divergence();
        s_.json ? print_json(first) : print(*input, reference, first);
        return first ? 1 : 0;
    }

private:
    const StageRow* first_divergence() const {
        for (const StageRow& r : rows_)
            if (!r.finite || !(r.local <= limit_)) return &r;
        return nullptr;
    }
    std::string verdict(const StageRow* first) const {
        if (!first) return fmt::format("parity: every stage is within {} of the reference, given the reference's inputs", limit_);
        return fmt::format("divergence: {} (worst in layer {}) differs by {:.2g} of its size, given the reference's inputs",
                           info(first->stage).name, first->worst_layer, first->local);
    }
    void print(const ParityInput& input, const parity::Trace& reference, const StageRow* first) const {
        fmt::print("{}: {} against {}, {} tokens, {} layers\n\n", input.path().filename().string(), s_.numerics,
                   reference.numerics.empty() ? reference.engine : reference.numerics, reference.tokens.size(),
                   input.model().config().n_layer);
        fmt::print("{:<14}{:>12}{:>8}{:>14}{:>12}\n", "stage", "local", "layer", "accumulated", "max abs");
        for (const StageRow& r : rows_)
            fmt::print("{:<14}{:>12.2g}{:>8}{:>14.2g}{:>12.2g}{}\n", info(r.stage).name, r.local, r.worst_layer, r.accumulated, r.max_abs,
                       r.finite ? "" : "  not finite");
        fmt::print(
            "\nlocal: error the stage adds, fed with the reference's inputs; accumulated: error after all stages before it.\n"
            "Both are relative L2 errors of the worst row of all layers and tokens.\n\n{}\n",
            verdict(first));
    }
    void print_json(const StageRow* first) const {
        Json j = {{"verdict", first ? "divergence" : "parity"}, {"sentence", verdict(first)}, {"local_limit", limit_}};
        for (const StageRow& r : rows_)
            j["stages"].push_back({{"stage", info(r.stage).name},
                                   {"layers", r.layers},
                                   {"worst_layer", r.worst_layer},
                                   {"local", r.local},
                                   {"accumulated", r.accumulated},
                                   {"max_abs", r.max_abs},
                                   {"finite", r.finite}});
        std::cout << j.dump(2) << '\n';
    }

    const Settings& s_;
    std::vector<StageRow> rows_;
    double limit_ = 0;
};

}  // namespace

void add_compare(CLI::App& app) {
    auto settings = std::make_shared<Settings>();
    CLI::App* compare =
        app.add_subcommand("compare", "Compare every stage with a reference (exit status 0 parity, 1 divergence, 2 neither)");
    settings->input.add_to(*compare);
    compare->add_option("--against", settings->against, "oracle, layercast, or a trace file")->capture_default_str();
    compare->add_option("--numerics", settings->numerics, "What is compared: fast, layercast or oracle")->capture_default_str();
    compare->add_flag("--json", settings->json, "Print one JSON object");
    compare->callback([settings] {
        int status = 2;
        try {
            status = Comparison(*settings).run();
        } catch (const InputError& e) {
            fmt::print(stderr, "error: {}\n", e.what());
        }
        if (status != 0) throw CLI::RuntimeError(status);
    });
}

}  // namespace kylin::cli
