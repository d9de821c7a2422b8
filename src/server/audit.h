// Runs a share of the finished answers again, through the oracle, in the background: how far what is served is from float64.
#pragma once
#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "engine/request.h"
#include "engine/sampler.h"
#include "parity/audit.h"

namespace kylin::server {

struct AuditOptions {
    double share = 0;       // of the answers, chosen at random
    uint64_t seed = 0;      // of the choice
    int max_tokens = 1024;  // longer ones are left out: the memory of an audit grows with its length
    size_t max_waiting = 8;
};

// What is served, on its own and in float64. The numerics are for the audit alone, and have the pages that parity::Auditor wants.
struct AuditParts {
    const Model& model;
    std::unique_ptr<Numerics> ours, oracle;
};

struct AuditFigures {
    double share = 0;
    uint64_t requests = 0, waiting = 0;
    uint64_t dropped = 0;  // came while too many waited
    uint64_t too_long = 0;
    uint64_t not_reproduced = 0;  // the same numerics, alone, would have chosen another token than was served
    parity::Audited sum;          // of all requests
};

class Audit {
public:
    Audit(AuditParts parts, const AuditOptions& options);
    ~Audit();  // what waits is not audited any more
    Audit(const Audit&) = delete;
    Audit& operator=(const Audit&) = delete;

    // Whether the next answer is one of those to run again. I/O thread.
    bool picks_next();
    // An answer that has come to its end. Never waits for the audit. Any thread.
    void submit(GenerationSpec spec, std::vector<int32_t> answer);
    AuditFigures figures() const;  // any thread

private:
    struct Case {
        GenerationSpec spec;
        std::vector<int32_t> answer;
    };
    void work();
    std::optional<Case> take();
    void audit(const Case& one);

    AuditParts parts_;
    AuditOptions options_;
    parity::Auditor auditor_;
    Sampler sampler_;
    uint64_t n_seen_ = 0;
    std::atomic<bool> ending_ = false;
    mutable std::mutex mutex_;
    std::condition_variable arrived_;
    std::deque<Case> waiting_;
    AuditFigures figures_;
    std::thread thread_;
};

}  // namespace kylin::server
