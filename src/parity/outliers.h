// What stands out of a run's values: massive activations, the least room below F16's largest number, the first value that is not finite.
#pragma once
#include "parity/report.h"

namespace kylin::parity {

class OutlierWatch {
public:
    explicit OutlierWatch(Report& report) : report_(report) { report_.least_headroom = 1e9; }
    // A token's values of a stage, in the order of the forward pass.
    void look(const Place& at, int token, std::span<const double> ours, std::span<const double> reference);
    void finish(const Cell& cell);  // after the last row of a stage

private:
    Report& report_;
};

}  // namespace kylin::parity
