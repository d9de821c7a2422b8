#include "cli/session.h"

#include <algorithm>

#include "base/error.h"
#include "cli/paths.h"
#include "cli/progress.h"
#include "engine/kv_pages.h"

namespace kylin::cli {
namespace {

int context_of(const SessionOptions& options, const Config& config) {
    if (options.n_ctx == 0) return std::min(config.n_ctx_train, SessionOptions::default_ctx);
    if (options.n_ctx > config.n_ctx_train)
        throw InputError("--ctx", std::to_string(options.n_ctx) + " is more than the " + std::to_string(config.n_ctx_train) +
                                      " positions that the model knows");
    return options.n_ctx;
}

Tokenizer load_tokenizer(const gguf::File& file, const Config& config) {
    Tokenizer tokenizer = Tokenizer::load(file);
    if (tokenizer.n_tokens() != config.n_vocab)
        throw InputError(file.name(), "tokenizer.ggml.tokens has " + std::to_string(tokenizer.n_tokens()) +
                                          " tokens, but the embedding has " + std::to_string(config.n_vocab) + " rows");
    return tokenizer;
}

int pages_of(const SessionOptions& options, int n_ctx) {
    if (options.n_kv != 0 && options.n_kv < n_ctx)
        throw InputError("--kv-tokens", std::to_string(options.n_kv) + " positions do not hold one context of " + std::to_string(n_ctx));
    if (options.n_kv != 0) return pages_for(options.n_kv);
    // Answers seldom fill their contexts: the cache need not hold as many as may run.
    const int wanted = options.n_parallel * pages_for(n_ctx);
    return std::max(pages_for(n_ctx), std::min(wanted, pages_for(SessionOptions::default_kv)));
}

size_t value_bytes(const SessionOptions& options) {
    if (options.numerics == "oracle") return sizeof(double);
    return options.numerics == "fast" && options.kv == "f16" ? 2 : sizeof(float);
}

std::unique_ptr<Numerics> load_numerics(const SessionOptions& options, const Model& model, int n_pages) {
    ProgressBar bar("loading");
    NumericsOptions wanted = Session::numerics_options(options);
    wanted.n_pages = n_pages;
    return make_numerics(model, wanted, [&](double share) { bar.show(share); });
}

}  // namespace

void SessionOptions::add_to(CLI::App& command) {
    constexpr const char* group = "Model";
    command.add_option("-m,--model", model, "GGUF file (default: the demo model)")->group(group);
    command.add_option("-c,--ctx", n_ctx, "Positions of prompt and answer (default: the model's own, at most 8192)")
        ->check(CLI::Range(1, 1 << 24))
        ->group(group);
    command.add_option("-t,--threads", n_threads, "Threads (default: every usable core)")->check(CLI::Range(1, 1024))->group(group);
    command.add_option("--ubatch", n_ubatch, "Prompt tokens of one step")
        ->check(CLI::Range(1, 1 << 16))
        ->capture_default_str()
        ->group(group);
    command.add_option("--draft", n_draft, "Tokens to guess ahead from the text so far, where that pays; the answer is the same. 0: off")
        ->check(CLI::Range(0, 64))
        ->capture_default_str()
        ->group(group);
    command.add_option("--numerics", numerics, "fast, layercast (F32 everywhere) or oracle (float64; slow)")
        ->check(CLI::IsMember({"fast", "layercast", "oracle"}))
        ->capture_default_str()
        ->group(group);
    command.add_option("--kv", kv, "KV cache type of the fast numerics: f16, f32, or q8_0 (half the memory of f16)")
        ->check(CLI::IsMember(kv_type_names))
        ->capture_default_str()
        ->group(group);
    command
        .add_option("--isa", isa,
                    "Kernels of the fast numerics: avx512_intel, avx512_cascade_lake, avx512, avx_vnni, avx2, scalar (default: the best)")
        ->group(group);
}

Session::Session(const SessionOptions& options)
    : path(options.model.empty() ? demo_model() : std::filesystem::path(options.model)),
      file(gguf::File::open(path)),
      model(Model::load(file)),
      n_ctx(context_of(options, model->config())),
      n_pages(pages_of(options, n_ctx)),
      bytes_of_kv_value(value_bytes(options)),
      loading_tokenizer_(std::async(std::launch::async, load_tokenizer, std::cref(file), std::cref(model->config()))),
      math(load_numerics(options, *model, n_pages)),
      tokenizer(loading_tokenizer_.get()),
      chat_template(ChatTemplate::load(file, tokenizer)),
      engine(std::make_unique<Engine>(
          EngineParts{*model, *math, tokenizer},
          EngineOptions{.n_pages = n_pages, .n_sequences = options.n_parallel, .n_ubatch = options.n_ubatch, .n_draft = options.n_draft})) {
}

size_t Session::kv_bytes() const {
    const Config& c = model->config();
    const auto values = static_cast<size_t>(c.attention.n_head_kv) * static_cast<size_t>(c.attention.head_dim) * 2;  // keys and values
    return values * static_cast<size_t>(c.n_layer) * static_cast<size_t>(n_pages) * page_positions * bytes_of_kv_value;
}

NumericsOptions Session::numerics_options(const SessionOptions& options) {
    return {.kind = numerics_named(options.numerics), .kv = kv_type_named(options.kv), .n_threads = options.n_threads, .isa = options.isa};
}

std::string Session::name() const {
    const std::string& own = model->config().name;
    return own.empty() ? path.filename().string() : own;
}

}  // namespace kylin::cli
