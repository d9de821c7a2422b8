// What `trace` and `compare` share: which model, which tokens, and how to run them.
#pragma once
#include <CLI/CLI.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "gguf/file.h"
#include "model/model.h"
#include "numerics/make.h"

namespace kylin::cli {

struct ParityOptions {
    std::string model, prompt, numerics = "fast", kv = "f16", isa;
    std::vector<int32_t> tokens;
    int n_decode = 0, n_threads = 0;
    void add_to(CLI::App& command);
    NumericsOptions numerics_options() const;  // throws InputError for an unknown numerics
};

// The model of the options, opened.
class ParityModel {
public:
    explicit ParityModel(const ParityOptions& options);
    const Model& model() const { return *model_; }
    const gguf::File& file() const { return file_; }
    const std::filesystem::path& path() const { return path_; }
    // Token ids of the prompt or the list. Throws InputError when neither or both were given, when an id is outside the vocabulary, or when
    // they and the further ones do not fit the context.
    std::vector<int32_t> prompt_tokens(const ParityOptions& options) const;

private:
    std::filesystem::path path_;
    gguf::File file_;
    std::unique_ptr<const Model> model_;
};

}  // namespace kylin::cli
