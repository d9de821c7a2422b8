// Whether an engine's values can be explained by rounding, stage by stage, from that engine's own inputs.
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "model/model.h"
#include "numerics/make.h"
#include "parity/rows.h"

namespace kylin::parity {

// What the certified pass finds at one stage; stages whose inputs the trace lacks are absent.
struct Judged {
    double ratio = 0, ratio_with_sources = 0;  // largest difference over the bound of sums alone; of sums and declared sources
    double bound_squares = 0;
    size_t n = 0;
    std::optional<BlockType> weights;
    std::vector<double> row_bounds;  // of the tokens: largest bound, declared sources included
    std::vector<double> row_ratios;  // the same of ratio_with_sources
};
using Judgement = std::map<std::string, Judged>;

// One run of the certified oracle over the tokens of the trace, with the roundings that it declares.
Judgement judge(const Model& model, const NumericsOptions& options, const TraceReader& trace, std::function<void(double)> progress);

}  // namespace kylin::parity
