// How far a numerics is from the oracle over given tokens. Both run side by side, a few rows at a time: no run is ever kept, no file made.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "model/model.h"
#include "numerics/make.h"
#include "parity/rows.h"

namespace kylin::parity {

struct AuditInput {
    std::span<const int32_t> tokens;  // prompt, and the answer without its last token, which never runs
    int n_prompt;                     // 1 .. tokens.size()
    // Our logits that chose a token, in the order of the answer.
    std::function<void(std::span<const float> logits)> see = {};
};

struct Audited {
    int n_tokens = 0;               // rows of logits that were compared
    double kl_sum = 0, kl_max = 0;  // KL(oracle || ours), in nats; infinite where our logits are not finite
    int n_same_top = 0;             // rows whose largest logit is the same
    struct Worst {
        Place at;
        double relative_error;  // |ours - oracle| / |oracle| of a token's row, both computed from the oracle's inputs
    };
    std::optional<Worst> worst;  // none: all stages are equal to the last bit
    void add(const Audited& other);
};

// Rows of one step. The oracle reads the weights once a step, and the values of a step are kept: 8 rows of Qwen3-0.6B are 50 MB.
inline constexpr int audit_rows = 8;

class Auditor {
public:
    struct Parts {
        const Model& model;
        Numerics &ours, &oracle;  // of 2 * pages_for(max_tokens) and of pages_for(max_tokens) pages; nobody else uses them
        int max_tokens;           // of one run
    };
    explicit Auditor(const Parts& parts);
    // Ends with Cancelled when a numerics is told so.
    Audited run(const AuditInput& input);

private:
    Parts parts_;
    std::vector<int32_t> free_pages_, forced_pages_;
};

// Memory that an audit takes besides the weights, in bytes.
size_t audit_bytes(const Config& config, KvType kv, int max_tokens);

}  // namespace kylin::parity
