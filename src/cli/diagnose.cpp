// kylin diagnose: what is wrong with an engine, by name.
#include "parity/diagnose.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/parity_options.h"
#include "cli/progress.h"
#include "parity/diagnose_text.h"

namespace kylin::cli {
namespace {

constexpr int parity_found = 0, divergence_found = 1, cannot_diagnose = 2;

struct Settings {
    std::string model, against;
    int n_threads = 0;
    bool json = false, catalogue = false;
};

void print_catalogue() {
    for (const parity::Hypothesis& h : parity::hypotheses()) fmt::print("{:28} {}\n", h.name, h.explanation);
}

int run(const Settings& s) {
    if (s.catalogue) {
        print_catalogue();
        return parity_found;
    }
    if (s.against.empty()) throw InputError("options", "give --against TRACE");
    ParityOptions options;
    options.model = s.model;
    const ParityModel model(options);
    const parity::TraceReader trace = parity::TraceReader::open(s.against);
    ProgressBar bar("diagnosing");
    const std::string engine = trace.about().engine;
    NumericsOptions numerics;
    numerics.n_threads = s.n_threads;
    const parity::Diagnosis d = parity::diagnose({.model = model.model(),
                                                  .options = numerics,
                                                  .trace = trace,
                                                  .whose = engine.empty() ? s.against : engine,
                                                  .progress = [&](const std::string&, double share) { bar.show(share); }});
    fmt::print("{}", s.json ? parity::to_json(d) : parity::to_text(d));
    return d.faults.empty() ? parity_found : divergence_found;
}

}  // namespace

void add_diagnose(CLI::App& app) {
    auto settings = std::make_shared<Settings>();
    CLI::App* command = app.add_subcommand("diagnose", "Name the bug in an engine, from a trace of its run");
    command->add_option("-m,--model", settings->model, "GGUF file (default: the demo model)");
    command->add_option("--against", settings->against, "Trace of the engine: docs/trace-format.md says how one is written");
    command->add_flag("--json", settings->json, "Print the diagnosis as JSON");
    command->add_flag("--catalogue", settings->catalogue, "List the mistakes that it knows");
    command->add_option("-t,--threads", settings->n_threads, "Threads (default: every usable core)")->check(CLI::Range(1, 1024));
    command->footer("Exit status: 0 parity, 1 divergence, 2 could not diagnose.\n");
    command->callback([settings] {
        int status = cannot_diagnose;
        try {
            status = run(*settings);
        } catch (const InputError& e) {
            fmt::print(stderr, "error: {}\n", e.what());
        }
        if (status != parity_found) throw CLI::RuntimeError(status);
    });
}

}  // namespace kylin::cli
