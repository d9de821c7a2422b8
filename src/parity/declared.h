// What an engine rounds on purpose, as its trace declares it ("numerics" of the metadata).
#pragma once
#include <optional>
#include <string>

#include "numerics/make.h"
#include "numerics/rounding.h"
#include "parity/rows.h"
#include "parity/trace.h"

namespace kylin::parity {

// "fast kv=f16" (or f32, q8_0), "layercast", "oracle": what Kylin's own traces say.
std::string describe(const NumericsOptions& options);

// Of Kylin's and of llama.cpp's traces by their own words. Any other engine rounds nothing but its F32 sums, unless it says
// "inputs=llama.cpp" (activations as ggml quantizes them), "kv=f16", "kv=q8_0", "flash-attn=on", or
// "float64".
Rounding declared_by(const TraceAbout& about);

// A trace of Kylin's own oracle: there is nothing to judge it by.
bool is_oracle(const TraceAbout& about);

// The named source of a difference between two engines at a stage, beside F32 sums; nothing when they declare the same there.
std::optional<std::string> declared_difference(const Rounding& ours, const Rounding& reference, Stage stage,
                                               std::optional<BlockType> weights);

}  // namespace kylin::parity
