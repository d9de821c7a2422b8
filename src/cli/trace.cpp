// kylin trace: every stage of a run, as a safetensors file.
#include <CLI/CLI.hpp>
#include <set>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/parity_options.h"
#include "cli/progress.h"
#include "parity/declared.h"
#include "parity/probes.h"
#include "parity/record.h"

namespace kylin::cli {
namespace {

std::set<Stage> stages_named(const std::vector<std::string>& names) {
    std::set<Stage> stages;
    for (const std::string& name : names) {
        const auto stage = stage_named(name);
        if (!stage) throw InputError("--stages", "no stage is called \"" + name + "\"");
        stages.insert(*stage);
    }
    return stages;
}

struct Settings {
    ParityOptions input;
    std::string output;
    std::vector<std::string> stages;
};

void trace(const Settings& s) {
    const ParityModel model(s.input);
    const NumericsOptions options = s.input.numerics_options();
    parity::TraceAbout about{
        .engine = "kylin", .numerics = parity::describe(options), .tokens = model.prompt_tokens(s.input), .n_prompt = 0};
    about.n_prompt = static_cast<int>(about.tokens.size());
    ProgressBar bar("running");
    parity::record(model.model(), options, about, s.input.n_decode, s.stages.empty() ? parity::linear_stages() : stages_named(s.stages),
                   s.output, [&](double share) { bar.show(share); });
}

}  // namespace

void add_trace(CLI::App& app) {
    auto settings = std::make_shared<Settings>();
    CLI::App* command = app.add_subcommand("trace", "Write every stage of a run to a trace file");
    settings->input.add_to(*command);
    command->add_option("-o,--output", settings->output, "Trace file to write (safetensors)")->required();
    command
        ->add_option("--stages", settings->stages,
                     "Only these stages, for example logits,layer_out (default: all but attn_scores, attn_probs)")
        ->delimiter(',');
    command->callback([settings] { trace(*settings); });
}

}  // namespace kylin::cli
