// kylin trace: every stage of a run, as a safetensors file.
#include "parity/trace.h"

#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "cli/parity_options.h"

namespace kylin::cli {

void add_trace(CLI::App& app) {
    struct Settings {
        ParityOptions input;
        std::string output, numerics = "fast";
        std::vector<std::string> stages;
    };
    auto settings = std::make_shared<Settings>();
    CLI::App* trace = app.add_subcommand("trace", "Write every stage of a run to a trace file");
    settings->input.add_to(*trace);
    trace->add_option("-o,--output", settings->output, "Trace file to write (safetensors)")->required();
    trace->add_option("--numerics", settings->numerics, "fast, layercast or oracle")->capture_default_str();
    trace->add_option("--stages", settings->stages, "Only these stages, for example logits,layer_out")->delimiter(',');
    trace->callback([settings] {
        const ParityInput input(settings->input);
        const NumericsKind kind = numerics_named(settings->numerics);
        const auto element = kind == NumericsKind::oracle ? parity::TraceElement::f64 : parity::TraceElement::f32;
        parity::write_trace(settings->output, input.record(kind, settings->stages), element);
    });
}

}  // namespace kylin::cli
