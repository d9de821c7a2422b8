// Where the time of forward passes goes: seconds, multiply-accumulates and bytes that are read, stage by stage.
#pragma once
#include <array>
#include <chrono>
#include <map>
#include <span>

#include "gguf/block_types.h"
#include "model/stages.h"

namespace kylin {

// Multiply-accumulates by the type of the weights; those with keys and values, in whatever type they lie, are F32's.
using MacsByType = std::map<BlockType, double>;

struct StageWork {
    Stage stage;
    double macs = 0, bytes = 0;  // bytes of weights, or of keys and values
    BlockType type = BlockType::f32;
};

class StageClock {
public:
    struct Total {
        double seconds = 0, bytes = 0;
        MacsByType macs;
    };
    // Stages that are computed together share their time by their multiply-accumulates.
    void add(std::span<const StageWork> works, double seconds) {
        double macs = 0;
        for (const StageWork& w : works) macs += w.macs;
        for (const StageWork& w : works) {
            Total& t = totals_[static_cast<size_t>(w.stage)];
            t.seconds += macs > 0 ? seconds * w.macs / macs : seconds / static_cast<double>(works.size());
            if (w.macs > 0) t.macs[w.type] += w.macs;
            t.bytes += w.bytes;
        }
    }
    const Total& of(Stage s) const { return totals_[static_cast<size_t>(s)]; }

private:
    std::array<Total, n_stages> totals_;
};

}  // namespace kylin
