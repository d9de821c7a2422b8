// What `trace` and `compare` share: which model, which tokens, and how to run them.
#pragma once
#include <CLI/CLI.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "gguf/file.h"
#include "model/model.h"
#include "numerics/make.h"
#include "parity/drive.h"
#include "parity/trace.h"

namespace kylin::cli {

struct ParityOptions {
    std::string model, prompt, kv = "f16", isa;
    std::vector<int32_t> tokens;
    int n_decode = 0, n_threads = 0;
    void add_to(CLI::App& command);
};

// The model, opened, and the token ids of the run.
class ParityInput {
public:
    // Throws InputError when neither a prompt nor tokens were given, or a token is outside the vocabulary.
    explicit ParityInput(const ParityOptions& options);
    ParityInput(const ParityOptions& options, std::vector<int32_t> tokens, int n_prompt);  // tokens of another engine's trace

    const Model& model() const { return *model_; }
    const std::filesystem::path& path() const { return path_; }
    // One free run over the tokens and the further ones asked for.
    // Without a list, every stage but scores and probabilities, which are large and unfuse attention.
    parity::Trace record(NumericsKind kind, const std::vector<std::string>& stages = {}) const;
    // One run in which every stage starts from the reference's values.
    parity::Trace record_forced(NumericsKind kind, const parity::Trace& reference) const;

private:
    std::unique_ptr<Numerics> numerics(NumericsKind kind, const parity::Run& run) const;
    parity::Trace empty_trace(NumericsKind kind) const;
    void check_tokens() const;

    ParityOptions options_;
    std::filesystem::path path_;
    gguf::File file_;
    std::unique_ptr<const Model> model_;
    std::vector<int32_t> tokens_;
    int n_prompt_ = 0;
};

}  // namespace kylin::cli
