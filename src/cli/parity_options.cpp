#include "cli/parity_options.h"

#include "base/error.h"
#include "cli/paths.h"
#include "parity/drive.h"
#include "parity/probes.h"
#include "text/tokenizer.h"

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

}  // namespace

void ParityOptions::add_to(CLI::App& command) {
    command.add_option("-m,--model", model, "GGUF file (default: the demo model)");
    command.add_option("-p,--prompt", prompt, "Text to run, as it is (no chat template)");
    command.add_option("--tokens", tokens, "Token ids to run instead of a prompt")->delimiter(',');
    command.add_option("--decode", n_decode, "Further tokens to run one at a time, chosen greedily")->check(CLI::Range(0, 1 << 20));
    command.add_option("--kv", kv, "KV cache type of the fast numerics")->check(CLI::IsMember({"f16", "f32"}))->capture_default_str();
    command.add_option("-t,--threads", n_threads, "Threads (default: every usable core)")->check(CLI::Range(1, 1024));
    command.add_option("--isa", isa, "Kernels of the fast numerics: avx512, avx2, scalar (default: the best)");
}

ParityInput::ParityInput(const ParityOptions& options)
    : options_(options),
      path_(options.model.empty() ? demo_model() : std::filesystem::path(options.model)),
      file_(gguf::File::open(path_)),
      model_(Model::load(file_)),
      tokens_(options.tokens) {
    if (tokens_.empty() == options.prompt.empty()) throw InputError("options", "give either --prompt or --tokens");
    if (tokens_.empty()) tokens_ = Tokenizer::load(file_).encode(options.prompt, Special::parse);
    n_prompt_ = static_cast<int>(tokens_.size());
    check_tokens();
}

ParityInput::ParityInput(const ParityOptions& options, std::vector<int32_t> tokens, int n_prompt)
    : options_(options),
      path_(options.model.empty() ? demo_model() : std::filesystem::path(options.model)),
      file_(gguf::File::open(path_)),
      model_(Model::load(file_)),
      tokens_(std::move(tokens)),
      n_prompt_(n_prompt) {
    check_tokens();
}

void ParityInput::check_tokens() const {
    for (const int32_t id : tokens_)
        if (id < 0 || id >= model_->config().n_vocab)
            throw InputError("tokens",
                             "id " + std::to_string(id) + " is outside the vocabulary of " + std::to_string(model_->config().n_vocab));
    const size_t n = tokens_.size() + static_cast<size_t>(options_.n_decode);
    if (n > static_cast<size_t>(model_->config().n_ctx_train))
        throw InputError("tokens",
                         std::to_string(n) + " tokens are more than the context of " + std::to_string(model_->config().n_ctx_train));
}

parity::Trace ParityInput::record(NumericsKind kind, const std::vector<std::string>& stages) const {
    const parity::Run run{*model_, tokens_, n_prompt_, options_.n_decode};
    const auto math = numerics(kind, run);
    parity::Recorder recorder = stages.empty() ? parity::Recorder() : parity::Recorder(stages_named(stages));
    parity::Trace trace = empty_trace(kind);
    trace.tokens = parity::drive(*math, run, &recorder);
    trace.tensors = recorder.take();
    return trace;
}

parity::Trace ParityInput::record_forced(NumericsKind kind, const parity::Trace& reference) const {
    const parity::Run run{*model_, reference.tokens, reference.n_prompt};
    const auto math = numerics(kind, run);
    parity::Forcer forcer(reference);
    parity::Trace trace = empty_trace(kind);
    trace.tokens = parity::drive(*math, run, &forcer);
    trace.tensors = forcer.take();
    return trace;
}

std::unique_ptr<Numerics> ParityInput::numerics(NumericsKind kind, const parity::Run& run) const {
    return make_numerics(*model_, {.kind = kind,
                                   .n_pages = parity::pages_for(parity::n_tokens(run)),
                                   .kv = options_.kv == "f32" ? KvType::f32 : KvType::f16,
                                   .n_threads = options_.n_threads,
                                   .isa = options_.isa});
}

parity::Trace ParityInput::empty_trace(NumericsKind kind) const {
    parity::Trace trace;
    trace.engine = "kylin";
    trace.numerics = name(kind);
    trace.n_prompt = n_prompt_;
    return trace;
}

}  // namespace kylin::cli
