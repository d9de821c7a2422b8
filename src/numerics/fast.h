// The numerics that serves: F32 rows, packed weights, quantized activations where the weights are quantized.
#pragma once
#include <memory>

#include "numerics/make.h"

namespace kylin {

std::unique_ptr<Numerics> make_fast(const Model& model, const NumericsOptions& options, const Progress& progress);

}  // namespace kylin
