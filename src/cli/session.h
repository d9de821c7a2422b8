// A model ready to answer: the file, what was read from it, and the engine. Owns the whole tree.
#pragma once
#include <CLI/CLI.hpp>
#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "gguf/file.h"
#include "model/model.h"
#include "numerics/make.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace kylin::cli {

struct SessionOptions {
    std::string model;  // empty: the demo model
    int n_ctx = 0;      // 0: the model's own, at most default_ctx
    int n_threads = 0;  // 0: every usable one
    int n_ubatch = EngineOptions{}.n_ubatch, n_draft = EngineOptions{}.n_draft;
    int n_parallel = 1;  // answers at once
    int n_kv = 0;        // positions of the KV cache, which all answers share; 0: n_parallel contexts, at most default_kv
    std::string numerics = "fast", kv = "f16", isa;

    static constexpr int default_ctx = 8192, default_kv = 16384;
    void add_to(CLI::App& command);
};

struct Session {
    explicit Session(const SessionOptions& options);  // shows its progress on a terminal; throws InputError

    RequestLimits limits() const { return {model->config().n_vocab, n_ctx}; }
    std::string name() const;                                                // the model's own, or the file's
    size_t kv_bytes() const;                                                 // of the KV cache
    static NumericsOptions numerics_options(const SessionOptions& options);  // but for the pages

    std::filesystem::path path;
    gguf::File file;
    std::unique_ptr<const Model> model;
    int n_ctx, n_pages;
    size_t bytes_of_kv_value;

private:
    std::future<Tokenizer> loading_tokenizer_;  // while the weights are rearranged

public:
    std::unique_ptr<Numerics> math;
    Tokenizer tokenizer;
    ChatTemplate chat_template;
    std::unique_ptr<Engine> engine;
};

}  // namespace kylin::cli
