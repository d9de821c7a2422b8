// Where the time of forward passes goes: seconds, multiply-accumulates and bytes of weights, stage by stage.
#pragma once
#include <array>
#include <chrono>
#include <span>

#include "model/stages.h"

namespace kylin {

struct StageWork {
    Stage stage;
    double macs = 0, bytes = 0;  // of weights
};

class StageClock {
public:
    struct Total {
        double seconds = 0, macs = 0, bytes = 0;
    };
    // Stages that are computed together share their time by their multiply-accumulates.
    void add(std::span<const StageWork> works, double seconds) {
        double macs = 0;
        for (const StageWork& w : works) macs += w.macs;
        for (const StageWork& w : works) {
            Total& t = totals_[static_cast<size_t>(w.stage)];
            t.seconds += macs > 0 ? seconds * w.macs / macs : seconds / static_cast<double>(works.size());
            t.macs += w.macs;
            t.bytes += w.bytes;
        }
    }
    const Total& of(Stage s) const { return totals_[static_cast<size_t>(s)]; }

private:
    std::array<Total, n_stages> totals_;
};

}  // namespace kylin
