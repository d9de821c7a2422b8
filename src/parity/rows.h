// Where the values of a step lie in the tensors of a whole run.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/config.h"
#include "model/probe.h"
#include "parity/trace.h"

namespace kylin::parity {

// A probe that is told which tokens a step is about: drive() does.
class StepProbe : public Probe {
public:
    virtual void begin_step(int first_token) { first_token_ = first_token; }
    int first_token() const { return first_token_; }

private:
    int first_token_ = 0;
};

struct RunShape {
    size_t n_tokens = 0;
    AttentionShape attention;
};

// Scores and probabilities are [n_heads, n_tokens, n_keys]; every other stage has a row per token.
constexpr bool is_square(Stage s) { return s == Stage::attn_scores || s == Stage::attn_probs; }
// Heads that a row (or a square stage) is made of; 1 where it is not.
int n_heads_of(Stage s, const AttentionShape& attention);

// A stage of a layer; layer 0 for stages of scope once.
struct Place {
    Stage stage;
    int layer;
};
inline std::string trace_name(const Place& at) { return kylin::trace_name(at.stage, at.layer); }
using kylin::trace_name;
// Every stage of every layer, in the order of the forward pass.
std::vector<Place> pass_order(int n_layer);
// What a stage is computed from. Attention is computed from queries, keys and values: scores and probabilities need not be there.
std::vector<Place> inputs_of(const Place& at, int n_layer);

// [n_tokens, width], or [n_heads, n_tokens, n_tokens].
std::vector<size_t> trace_shape(Stage s, int width, const RunShape& run);

// One token's values of a stage, or one head's of them where the stage is square.
struct Segment {
    int token;
    int head;      // -1: all heads of the row
    size_t first;  // of the tensor's values, when it holds every token
    std::span<double> values;
};
std::vector<Segment> segments_of(const Visit& v, int first_token, const RunShape& run);

// The values of `trace` that belong to a segment, or nothing where the trace lacks the token's row.
std::optional<std::vector<double>> read_segment(const TraceReader& trace, const TraceTensor& tensor, const Segment& segment);

}  // namespace kylin::parity
