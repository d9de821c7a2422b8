// A run of Kylin, written down, and how far it is.
#pragma once
#include <filesystem>
#include <functional>
#include <set>

#include "numerics/make.h"
#include "parity/drive.h"
#include "parity/rows.h"

namespace kylin::parity {

// Passes on the values of another probe, and tells which share of the run is done.
class Progress : public StepProbe {
public:
    Progress(StepProbe& inner, size_t n_tokens, int n_layer, std::function<void(double)> show)
        : inner_(inner), n_tokens_(n_tokens), n_layer_(n_layer), show_(std::move(show)) {}
    void begin_step(int first_token) override {
        StepProbe::begin_step(first_token);
        inner_.begin_step(first_token);
    }
    bool wants(Stage stage, int layer) const override { return stage == Stage::layer_out || inner_.wants(stage, layer); }
    bool visit(const Visit& v) override {
        if (v.stage == Stage::layer_out) {
            const double step = static_cast<double>(v.rows) * (v.layer + 1) / n_layer_;
            show_((first_token() + step) / static_cast<double>(n_tokens_));
        }
        return inner_.wants(v.stage, v.layer) && inner_.visit(v);
    }

private:
    StepProbe& inner_;
    size_t n_tokens_;
    int n_layer_;
    std::function<void(double)> show_;
};

struct Recording {
    std::set<Stage> stages;
    std::filesystem::path path;
    TraceElement element = TraceElement::f32;
    std::function<void(double)> progress = {};
};
// Runs tokens and writes the stages to a trace. Returns all tokens, those that were chosen on the way included.
std::vector<int32_t> record(const Run& run, Numerics& math, TraceAbout about, const Recording& to);
// The same of a numerics that is made for it: the tokens of `about`, and n_greedy more.
std::vector<int32_t> record(const Model& model, NumericsOptions options, const TraceAbout& about, int n_greedy, std::set<Stage> stages,
                            const std::filesystem::path& path, const std::function<void(double)>& progress);

// Opens a trace and removes its name: its bytes are gone with the process, however that ends.
TraceReader open_unlinked(const std::filesystem::path& path);

}  // namespace kylin::parity
