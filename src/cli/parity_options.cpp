#include "cli/parity_options.h"

#include "base/error.h"
#include "cli/paths.h"
#include "text/tokenizer.h"

namespace kylin::cli {

void ParityOptions::add_to(CLI::App& command) {
    command.add_option("-m,--model", model, "GGUF file (default: the demo model)");
    command.add_option("-p,--prompt", prompt, "Text to run, as it is (no chat template)");
    command.add_option("--tokens", tokens, "Token ids to run instead of a prompt")->delimiter(',');
    command.add_option("--decode", n_decode, "Further tokens to run one at a time, chosen greedily")->check(CLI::Range(0, 1 << 20));
    command.add_option("--numerics", numerics, "fast, layercast or oracle")->capture_default_str();
    command.add_option("--kv", kv, "KV cache type of the fast numerics")->check(CLI::IsMember(kv_type_names))->capture_default_str();
    command.add_option("-t,--threads", n_threads, "Threads (default: every usable core)")->check(CLI::Range(1, 1024));
    command.add_option(
        "--isa", isa,
        "Kernels of the fast numerics: avx512_intel, avx512_cascade_lake, avx512, avx_vnni, avx2, scalar (default: the best)");
}

NumericsOptions ParityOptions::numerics_options() const {
    return {.kind = numerics_named(numerics), .n_pages = 0, .kv = kv_type_named(kv), .n_threads = n_threads, .isa = isa};
}

ParityModel::ParityModel(const ParityOptions& options)
    : path_(options.model.empty() ? demo_model() : std::filesystem::path(options.model)),
      file_(gguf::File::open(path_)),
      model_(Model::load(file_)) {}

std::vector<int32_t> ParityModel::prompt_tokens(const ParityOptions& options) const {
    if (options.tokens.empty() == options.prompt.empty()) throw InputError("options", "give either --prompt or --tokens");
    std::vector<int32_t> tokens = options.tokens.empty() ? Tokenizer::load(file_).encode(options.prompt, Special::parse) : options.tokens;
    const Config& c = model_->config();
    for (const int32_t id : tokens)
        if (id < 0 || id >= c.n_vocab)
            throw InputError("tokens", "id " + std::to_string(id) + " is outside the vocabulary of " + std::to_string(c.n_vocab));
    const size_t n = tokens.size() + static_cast<size_t>(options.n_decode);
    if (n > static_cast<size_t>(c.n_ctx_train))
        throw InputError("tokens", std::to_string(n) + " tokens are more than the context of " + std::to_string(c.n_ctx_train));
    return tokens;
}

}  // namespace kylin::cli
