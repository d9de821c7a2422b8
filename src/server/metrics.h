// What the server counts, in Prometheus' text format. I/O thread only.
#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "engine/engine.h"
#include "server/audit.h"
#include "server/watched.h"

namespace kylin::server {

// Counts of observations up to each bound, in seconds.
class Histogram {
public:
    void observe(double seconds);
    void write(std::string& out, std::string_view name, std::string_view help) const;

private:
    static constexpr std::array<double, 16> bounds{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120};
    std::array<uint64_t, bounds.size() + 1> counts_{};
    double sum_ = 0;
};

struct Metrics {
    std::map<std::pair<std::string, int>, uint64_t> http_requests;  // by route and status; unknown paths count as one route
    std::map<std::string, uint64_t, std::less<>> answers;           // by the reason of their end
    uint64_t prompt_tokens = 0, cached_tokens = 0, answer_tokens = 0, drafted_tokens = 0, accepted_tokens = 0, rejected = 0, abandoned = 0;
    Histogram first_token, inter_token, whole_answer;

    struct Others {  // who counts for themselves
        EngineLoad load;
        const WatchedAnswers& watched;
        std::optional<AuditFigures> audit;
        size_t n_connections;
        std::string_view version;  // of the program
    };
    std::string text(const Others& others) const;
};

}  // namespace kylin::server
