// What an engine rounds on purpose, as its trace declares it ("numerics" of the metadata).
#pragma once
#include <optional>
#include <string>

#include "numerics/make.h"
#include "numerics/rounding.h"
#include "parity/rows.h"
#include "parity/trace.h"

namespace kylin::parity {

// "fast kv=f16", "layercast", "oracle": what Kylin's own traces say.
std::string describe(const NumericsOptions& options);

// Of Kylin's and of llama.cpp's traces by their words; of any other engine: no rounding but that of F32 sums.
Rounding declared_by(const TraceAbout& about);

// Whether the trace is float64, not to be judged by what F32 may do.
bool is_exact(const TraceAbout& about);

// The named source of a difference between two engines at a stage, beside F32 sums; nothing when they declare the same there.
std::optional<std::string> declared_difference(const Rounding& ours, const Rounding& reference, Stage stage,
                                               std::optional<BlockType> weights);

}  // namespace kylin::parity
