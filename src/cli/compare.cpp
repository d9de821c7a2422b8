// kylin compare: where two engines part, and who is wrong.
#include "parity/compare.h"

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <unistd.h>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/temporary_folder.h"
#include "cli/commands.h"
#include "cli/compare_text.h"
#include "cli/parity_options.h"
#include "cli/paths.h"
#include "cli/progress.h"
#include "cli/reference_run.h"
#include "parity/declared.h"
#include "parity/ledger.h"
#include "parity/probes.h"
#include "parity/record.h"
#include "parity/what_if.h"
#include "text/tokenizer.h"

namespace kylin::cli {
namespace {

constexpr int parity_found = 0, divergence_found = 1, cannot_compare = 2;
constexpr int what_if_text = 16;                 // tokens that show what a change does to the text
constexpr size_t most_tokens_with_scores = 256;  // scores and probabilities are quadratic: 2 GB for 512 tokens of a 0.6B model

struct Settings {
    ParityOptions input;
    LlamaCppOptions llama_cpp;
    std::string against, output, html, f32_model;
    std::vector<std::string> stages, with;
    bool json = false, ledger = false, diagnose = false;
};

// How this program was called, as a line for a shell.
std::string command_line() {
    std::ifstream file("/proc/self/cmdline", std::ios::binary);
    std::string line = "kylin", argument;
    std::getline(file, argument, '\0');  // the program's own path
    while (std::getline(file, argument, '\0')) {
        const bool plain = !argument.empty() && argument.find_first_not_of(
                                                    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                                    "-_./=,:+@%") == std::string::npos;
        if (!plain) {
            for (size_t at = 0; (at = argument.find('\'', at)) != std::string::npos; at += 4) argument.replace(at, 1, "'\\''");
            argument = "'" + argument + "'";
        }
        line += " " + argument;
    }
    return line;
}

// One bar per pass.
class Passes {
public:
    void operator()(const std::string& what, double share) {
        if (what != label_) bar_ = nullptr, bar_ = std::make_unique<ProgressBar>(what), label_ = what;
        bar_->show(share);
    }
    void end() { bar_ = nullptr; }

private:
    std::string label_;
    std::unique_ptr<ProgressBar> bar_;
};

class Command {
public:
    explicit Command(const Settings& settings) : s_(settings), model_(settings.input), folder_("kylin-compare") {}

    int run() {
        const parity::TraceReader reference = open_reference();
        check_asked_for(reference);
        parity::Report report = parity::compare({.model = model_.model(),
                                                 .ours = s_.input.numerics_options(),
                                                 .reference = reference,
                                                 .folder = folder_.path(),
                                                 .progress = [&](const std::string& what, double share) { passes_(what, share); }});
        if (s_.ledger || !s_.f32_model.empty()) add_ledger(report, reference);
        if (s_.diagnose) add_diagnosis(report, reference);
        passes_.end();
        if (!what_if_.empty()) report.notes.insert(report.notes.begin(), what_if_);
        if (!note_.empty()) report.notes.insert(report.notes.begin(), note_);
        if (reference.n_tokens() > most_tokens_with_scores && !is_file())
            report.notes.push_back("Scores and probabilities are left out: with more than " + std::to_string(most_tokens_with_scores) +
                                   " tokens they outgrow all other stages together. Attention is judged from queries, keys and values.");
        report.model_path = model_.path().string();
        report.command = command_line();
        add_texts(report);
        write(report);
        if (report.first_not_finite && !report.first_not_finite->in_ours) {
            const auto& at = report.first_not_finite->at;
            throw InputError(
                s_.against.empty() ? "reference" : s_.against,
                "stage " + trace_name(at.stage, at.layer) + " is not finite at token " + std::to_string(report.first_not_finite->token));
        }
        if (failed_) return cannot_compare;
        return report.first_divergence ? divergence_found : parity_found;
    }

private:
    bool is_own() const { return s_.against == "oracle" || s_.against == "layercast" || s_.against == "fast"; }
    bool is_file() const { return !is_own() && s_.with.empty() && !s_.against.empty() && s_.against != "llama.cpp"; }

    parity::TraceReader open_reference() {
        if (!s_.with.empty()) return run_with();
        if (is_own()) return run_own(s_.against);
        if (!is_file()) return run_llama_cpp();
        if (!s_.input.prompt.empty() || !s_.input.tokens.empty() || s_.input.n_decode)
            throw InputError("options", "the tokens come from the trace; leave out --prompt, --tokens and --decode");
        return parity::TraceReader::open(s_.against);
    }

    // The oracle with mistakes; the text that it goes on with is kept beside what the right one goes on with.
    parity::TraceReader run_with() {
        if (!s_.against.empty()) throw InputError("options", "--with compares with the oracle and its mistakes; leave out --against");
        std::vector<parity::Intervention> list;
        for (const std::string& text : s_.with) list.push_back(parity::intervention(model_.model(), text));
        for (const auto& i : list) what_if_ += (what_if_.empty() ? "What if: " : "; ") + parity::explain(model_.model(), i);
        const auto tokens = model_.prompt_tokens(s_.input);
        const int n_prompt = static_cast<int>(tokens.size()), n_threads = s_.input.n_threads;
        const int n_more = s_.input.n_decode ? s_.input.n_decode : what_if_text;
        if (n_prompt + n_more > model_.model().config().n_ctx_train) throw InputError("tokens", "the context has no room for the text");
        const auto stages = stages_for(tokens.size());
        const auto text_after = [&](const std::vector<parity::Intervention>& mistakes, const char* what) {
            const auto path = folder_.path() / "text.safetensors";
            const auto all =
                parity::record_with(mistakes, {model_.model(), tokens, n_prompt, n_more}, n_threads,
                                    {.stages = {Stage::logits}, .path = path, .progress = [&](double x) { passes_(what, x); }});
            std::filesystem::remove(path);
            return Tokenizer::load(model_.file()).decode(std::span(all).subspan(tokens.size()));
        };
        what_if_ += ".\ntext, right: " + text_after({}, "text, right") + "\ntext, so:    " + text_after(list, "text, so");
        const auto path = folder_.path() / "reference.safetensors";
        parity::record_with(list, {model_.model(), tokens, n_prompt, s_.input.n_decode}, n_threads,
                            {.stages = stages, .path = path, .progress = [&](double x) { passes_("the oracle with mistakes", x); }});
        return parity::open_unlinked(path);
    }

    static std::set<Stage> stages_for(size_t n_tokens) {
        std::set<Stage> stages = parity::linear_stages();
        if (n_tokens <= most_tokens_with_scores) stages.insert({Stage::attn_scores, Stage::attn_probs});
        return stages;
    }

    // A reference that is missing or dies takes nothing down: the oracle takes its place, and the report says so.
    parity::TraceReader run_llama_cpp() {
        const auto tokens = model_.prompt_tokens(s_.input);
        const auto path = folder_.path() / "reference.safetensors";
        try {
            passes_("llama.cpp", 0);
            trace_llama_cpp(model_.path(), tokens, s_.input.n_decode,
                            tokens.size() + static_cast<size_t>(s_.input.n_decode) <= most_tokens_with_scores, s_.llama_cpp, path);
            return parity::open_unlinked(path);
        } catch (const InputError& e) {
            passes_.end();
            failed_ = !s_.against.empty();
            note_ = std::string(e.what()) + "; compared with the oracle instead.";
            fmt::print(stderr, "warning: {}\n", note_);
            return run_own("oracle");
        }
    }

    parity::TraceReader run_own(const std::string& numerics) {
        NumericsOptions options = s_.input.numerics_options();
        options.kind = numerics_named(numerics);
        parity::TraceAbout about{
            .engine = "kylin", .numerics = parity::describe(options), .tokens = model_.prompt_tokens(s_.input), .n_prompt = 0};
        about.n_prompt = static_cast<int>(about.tokens.size());
        const auto path = folder_.path() / "reference.safetensors";
        parity::record(model_.model(), options, about, s_.input.n_decode, stages_for(about.tokens.size()), path,
                       [&](double share) { passes_(numerics + ", free", share); });
        return parity::open_unlinked(path);
    }

    void check_asked_for(const parity::TraceReader& reference) const {
        for (const std::string& name : s_.stages) {
            const auto stage = stage_named(name);
            if (!stage) throw InputError("--stages", "no stage is called \"" + name + "\"");
            const int n_layers = info(*stage).scope == Scope::once ? 1 : model_.model().config().n_layer;
            for (int layer = 0; layer < n_layers; ++layer)
                if (!reference.find(trace_name(*stage, layer)))
                    throw InputError("reference", "stage " + trace_name(*stage, layer) + " is missing");
        }
    }

    void add_ledger(parity::Report& report, const parity::TraceReader& reference) {
        const parity::LedgerInput input{model_.model(), s_.input.numerics_options(), reference.about(), folder_.path(),
                                        [&](const std::string& what, double share) { passes_(what, share); }};
        if (!s_.f32_model.empty()) {
            const gguf::File file = gguf::File::open(s_.f32_model);
            report.ledger.push_back(parity::weight_ledger(input, *Model::load(file)));
        }
        if (!s_.ledger) return;
        for (auto& entry : parity::our_ledger(input)) report.ledger.push_back(std::move(entry));
        if (reference.about().engine.starts_with("llama.cpp")) add_spread(report, reference);
    }

    void add_diagnosis(parity::Report& report, const parity::TraceReader& reference) {
        report.diagnosis =
            parity::diagnose({.model = model_.model(),
                              .options = s_.input.numerics_options(),
                              .trace = reference,
                              .whose = report.reference_engine,
                              .progress = [&](const std::string& what, double share) { passes_("diagnosis, " + what, share); }});
    }

    // llama.cpp against itself with one option changed.
    void add_spread(parity::Report& report, const parity::TraceReader& reference) {
        struct Toggle {
            const char *source, *how;
            void (*change)(LlamaCppOptions&);
        };
        constexpr Toggle toggles[] = {
            {"flash attention", "--flash-attn toggled", [](LlamaCppOptions& o) { o.flash_attn = o.flash_attn == "off" ? "on" : "off"; }},
            {"repacked weights", "--repack toggled", [](LlamaCppOptions& o) { o.repack = o.repack == "off" ? "on" : "off"; }},
            {"KV cache type", "against f32, f32 against f16", [](LlamaCppOptions& o) { o.kv = o.kv == "f32" ? "f16" : "f32"; }},
            {"threads", "1 against more", [](LlamaCppOptions& o) { o.n_threads = o.n_threads == 1 ? 2 : 1; }},
        };
        const auto& about = reference.about();
        for (const Toggle& t : toggles) {
            LlamaCppOptions options = s_.llama_cpp;
            t.change(options);
            if (options.kv == "q8_0" && options.flash_attn == "off") continue;  // llama.cpp cannot
            passes_(std::string("llama.cpp, ") + t.source, 0);
            const auto path = folder_.path() / "spread.safetensors";
            trace_llama_cpp(model_.path(), about.tokens, 0, false, options, path);
            const auto distance = parity::logit_distance(parity::open_unlinked(path), reference);
            report.ledger.push_back({"reference", t.source, t.how, distance.relative_error, distance.kl});
        }
    }

    void add_texts(parity::Report& report) const {
        const Tokenizer tokenizer = Tokenizer::load(model_.file());
        const auto add = [&](int32_t id) { report.texts.emplace(id, tokenizer.decode({&id, 1})); };
        for (const int32_t id : report.tokens) add(id);
        for (const parity::LensLayer& l : report.lens) add(l.ours), add(l.reference);
    }

    void write(const parity::Report& report) const {
        const auto save = [](const std::string& path, const std::string& text) {
            AtomicFile file(path);
            file.write(std::as_bytes(std::span(text)));
            file.commit();
        };
        if (!s_.output.empty()) save(s_.output, parity::to_json(report));
        if (!s_.html.empty()) {
            std::ifstream page(report_template(), std::ios::binary);
            save(s_.html, parity::to_html(report, {std::istreambuf_iterator<char>(page), {}}));
        }
        const bool colour = isatty(STDOUT_FILENO) && !std::getenv("NO_COLOR");
        if (!what_if_.empty() && !s_.json) fmt::print("{}\n\n", what_if_);
        fmt::print("{}", s_.json ? parity::to_json(report) : summary_text(report, colour));
        for (const std::string& path : {s_.output, s_.html})
            if (!path.empty() && !s_.json) fmt::print("wrote {}\n", path);
    }

    const Settings& s_;
    ParityModel model_;
    TemporaryFolder folder_;
    Passes passes_;
    std::string note_, what_if_;
    bool failed_ = false;  // what was asked for could not be compared with
};

void add_llama_cpp_options(CLI::App& command, LlamaCppOptions& o) {
    const char* group = "llama.cpp";
    command.add_option("--flash-attn", o.flash_attn, "Flash attention of llama.cpp")
        ->check(CLI::IsMember({"on", "off", "auto"}))
        ->capture_default_str()
        ->group(group);
    command.add_option("--reference-kv", o.kv, "Type of its KV cache; q8_0 needs --flash-attn on")->capture_default_str()->group(group);
    command.add_option("--repack", o.repack, "Whether it rearranges weights at load")
        ->check(CLI::IsMember({"on", "off"}))
        ->capture_default_str()
        ->group(group);
    command.add_option("--reference-threads", o.n_threads, "Its threads")->check(CLI::Range(1, 1024))->capture_default_str()->group(group);
    command.add_option("--override-kv", o.overrides, "Metadata it reads otherwise: KEY=TYPE:VALUE; may be repeated")->group(group);
}

}  // namespace

void add_compare(CLI::App& app) {
    auto settings = std::make_shared<Settings>();
    CLI::App* command = app.add_subcommand("compare", "Find where two engines part, and who is wrong");
    settings->input.add_to(*command);
    command->add_option("--against", settings->against,
                        "llama.cpp, oracle, layercast, fast, or a trace file (default: llama.cpp, or the oracle without it)");
    command->add_option("--with", settings->with,
                        "What if: compare with the oracle that makes this mistake of the catalogue, NAME[=VALUE][@PLACE]; may be repeated");
    command->add_option("-o,--output", settings->output, "Write the report as JSON");
    command->add_option("--html", settings->html, "Write the report as one HTML file");
    command->add_option("--stages", settings->stages, "Stages that the reference must have")->delimiter(',');
    command->add_flag("--ledger", settings->ledger,
                      "Also measure each source of error alone: runs the oracle and llama.cpp four times more");
    command->add_option("--f32-model", settings->f32_model, "The same model in F32: adds weight quantization to the ledger");
    command->add_flag("--diagnose", settings->diagnose, "Also name what is wrong with the reference, as kylin diagnose does");
    command->add_flag("--json", settings->json, "Print the report as JSON");
    add_llama_cpp_options(*command, settings->llama_cpp);
    command->footer("Exit status: 0 parity, 1 divergence, 2 could not compare.\n");
    command->callback([settings] {
        int status = cannot_compare;
        try {
            status = Command(*settings).run();
        } catch (const InputError& e) {
            fmt::print(stderr, "error: {}\n", e.what());
        }
        if (status != parity_found) throw CLI::RuntimeError(status);
    });
}

}  // namespace kylin::cli
