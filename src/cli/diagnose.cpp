// kylin diagnose: what is wrong with an engine, by name.
#include "parity/diagnose.h"

#include <CLI/CLI.hpp>
#include <filesystem>
#include <fmt/format.h>
#include <span>

#include "base/atomic_file.h"
#include "base/error.h"
#include "cli/commands.h"
#include "cli/parity_options.h"
#include "cli/progress.h"
#include "parity/bundle.h"
#include "parity/diagnose_text.h"

namespace kylin::cli {
namespace {

constexpr int parity_found = 0, divergence_found = 1, cannot_diagnose = 2;

struct Settings {
    std::string model, against, bundle;
    int n_threads = 0;
    bool json = false, catalogue = false;
};

void print_catalogue() {
    for (const parity::Hypothesis& h : parity::hypotheses()) fmt::print("{:28} {}\n", h.name, h.explanation);
}

// One model, one trace, and what is wrong with it.
class Command {
public:
    Command(const Settings& s, const std::filesystem::path& model, const std::filesystem::path& trace)
        : s_(s), model_(options(model)), trace_(parity::TraceReader::open(trace)) {}

    parity::Diagnosis diagnose() {
        ProgressBar bar("diagnosing");
        parity::DiagnoseInput in = input();
        in.progress = [&](const std::string&, double share) { bar.show(share); };
        return parity::diagnose(in);
    }

    // Writes the first fault down, and looks whether it can be found there again.
    void bundle(const parity::Diagnosis& d) const {
        const parity::BundleFiles files{s_.bundle};
        parity::write_bundle(model_.file(), input(), d.faults[0], files);
        save(files.diagnosis(), parity::to_json(d));
        save(files.script(),
             "#!/bin/sh\n# " + d.sentence +
                 "\n# model.gguf: the layer alone, its input in the place of the embedding. trace.safetensors: its stages as "
                 "the engine had them.\n# right.safetensors: the stage in float64 from the engine's own inputs.\n"
                 "exec kylin diagnose --bundle \"$(dirname \"$0\")\"\n");
        using std::filesystem::perms;
        std::filesystem::permissions(files.script(), perms::owner_exec | perms::group_exec | perms::others_exec,
                                     std::filesystem::perm_options::add);
        const parity::Diagnosis again = Command(s_, files.model(), files.trace()).diagnose();
        const bool same = !again.faults.empty() && again.faults[0].name == d.faults[0].name;
        fmt::print(stderr, "wrote {}{}\n", s_.bundle, same ? "" : "; in this layer alone the fault has not the same name");
    }

private:
    static ParityOptions options(const std::filesystem::path& model) {
        ParityOptions o;
        o.model = model.string();
        return o;
    }
    static void save(const std::filesystem::path& path, const std::string& text) {
        AtomicFile file(path);
        file.write(std::as_bytes(std::span(text)));
        file.commit();
    }
    parity::DiagnoseInput input() const {
        NumericsOptions numerics;
        numerics.n_threads = s_.n_threads;
        const std::string& engine = trace_.about().engine;
        return {model_.model(), numerics, trace_, engine.empty() ? trace_.path().string() : engine, {}};
    }

    const Settings& s_;
    ParityModel model_;
    parity::TraceReader trace_;
};

int run(const Settings& s) {
    if (s.catalogue) {
        print_catalogue();
        return parity_found;
    }
    if (s.against.empty() && s.bundle.empty()) throw InputError("options", "give --against TRACE, or --bundle DIR to look at one");
    const parity::BundleFiles files{s.bundle};
    const bool reads_bundle = s.against.empty();
    if (reads_bundle && !s.model.empty()) throw InputError("options", "a bundle has its own model; leave out --model");
    Command command(s, reads_bundle ? files.model() : std::filesystem::path(s.model),
                    reads_bundle ? files.trace() : std::filesystem::path(s.against));
    const parity::Diagnosis d = command.diagnose();
    fmt::print("{}", s.json ? parity::to_json(d) : parity::to_text(d));
    if (!reads_bundle && !s.bundle.empty() && !d.faults.empty()) command.bundle(d);
    return d.faults.empty() ? parity_found : divergence_found;
}

}  // namespace

void add_diagnose(CLI::App& app) {
    auto settings = std::make_shared<Settings>();
    CLI::App* command = app.add_subcommand("diagnose", "Name the bug in an engine, from a trace of its run");
    command->add_option("-m,--model", settings->model, "GGUF file (default: the demo model)");
    command->add_option("--against", settings->against, "Trace of the engine: docs/trace-format.md says how one is written");
    command->add_option("--bundle", settings->bundle,
                        "With --against: write the fault down in this folder, with one layer of the model. Without: look at such a folder");
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
