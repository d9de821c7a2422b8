// Listens to llama.cpp's graph and writes every node that is one of Kylin's stages to a trace.
#pragma once
#include <exception>
#include <ggml.h>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "session.h"
#include "trace_file.h"

namespace kylin::reference {

class StageTap {
public:
    // n_rows: tokens of the whole trace. scores: also attn_scores and attn_probs, [n_heads, n_rows, n_rows].
    StageTap(TraceFile& trace, size_t n_rows, bool scores) : trace_(trace), n_rows_(n_rows), with_scores_(scores) {}

    EvalCallback callback() { return {&StageTap::on_node, this}; }
    // Throws what went wrong inside the callback, which must not throw through llama.cpp.
    void check() const;
    // Throws unless every stage seen holds every row.
    void check_complete() const;

private:
    struct Found {
        std::string stage;  // "q_rope.3"
        enum class Kind { rows, output_projection, scores, probabilities } kind;
    };
    static bool on_node(ggml_tensor* node, bool ask, void* self);
    std::optional<Found> find(const ggml_tensor& node) const;
    void take(const ggml_tensor& node, const Found& found);
    void take_rows(const ggml_tensor& node, const std::string& stage);
    void take_attention(const ggml_tensor& soft_max, const std::string& layer);
    void write_heads(const std::string& stage, const std::vector<float>& values, const ggml_tensor& shape);

    TraceFile& trace_;
    size_t n_rows_;
    bool with_scores_;
    size_t first_ = 0;  // rows of this pass: [first_, first_ + n_)
    size_t n_ = 0;
    std::vector<float> scores_;   // k.q of the layer in progress: the soft max may overwrite the node
    std::set<std::string> seen_;  // of this pass: a name and operation may come again, the first counts
    std::map<std::string, size_t> rows_written_;
    std::exception_ptr failure_;
};

}  // namespace kylin::reference
