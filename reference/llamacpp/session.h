// llama.cpp, loaded with one model and one context: the only place that owns its handles.
#pragma once
#include <llama.h>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "options.h"

namespace kylin::reference {

// Loads ggml's CPU library and sends llama.cpp's log to stderr (verbose) or nowhere. Call once, before anything else.
void start_llama(bool verbose);

struct FreeModel {
    void operator()(llama_model* model) const { llama_model_free(model); }
};
struct FreeContext {
    void operator()(llama_context* context) const { llama_free(context); }
};
using ModelHandle = std::unique_ptr<llama_model, FreeModel>;

// Throws std::runtime_error with llama.cpp's own reason when the file cannot be loaded.
ModelHandle load_model(const RunOptions& options);
// Without weights: enough to tokenize.
ModelHandle load_vocabulary(const std::string& path, bool verbose);

std::vector<llama_token> tokenize(const llama_model& model, const std::string& text, bool parse_special);

struct EvalCallback {
    ggml_backend_sched_eval_callback function = nullptr;
    void* user_data = nullptr;
};

class Session {
public:
    // Loads the model.
    explicit Session(const RunOptions& options);
    // Makes the context; feed and forget need it. n_tokens: most tokens the cache must hold of each stream; stream 0 is feed's.
    void open(int n_tokens, EvalCallback callback = {}, int n_streams = 1);

    const llama_model& model() const { return *model_; }
    int n_vocab() const { return n_vocab_; }

    // Forward passes over tokens at positions first, first + 1, ..., at most ubatch rows each.
    // Throws on an id outside the vocabulary, and when the context is full.
    enum class Outputs { last, all };
    void feed(std::span<const llama_token> tokens, int first, Outputs outputs);
    // One forward pass over one token of each stream, all at the same position; logits of every row.
    void feed_streams(std::span<const llama_token> tokens, int position);
    // Logits of the last row fed, [n_vocab].
    std::span<const float> logits() const;

    // Forgets positions from first on.
    void forget(int first);
    void forget_all();  // of every stream

private:
    struct Row {
        llama_token token;
        int position, stream;
        bool logits;
    };
    void step(std::span<const Row> rows);

    RunOptions options_;
    ModelHandle model_;
    std::unique_ptr<llama_context, FreeContext> context_;
    int n_vocab_ = 0;
    int n_tokens_ = 0;
    int max_rows_ = 0;
};

llama_token argmax(std::span<const float> logits);

}  // namespace kylin::reference
