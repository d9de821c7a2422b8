// The definitions, written for the reader: Plain<float> is `layercast`, Plain<double> is `oracle`.
#pragma once
#include <memory>

#include "model/model.h"
#include "numerics/make.h"

namespace kylin {

std::unique_ptr<Numerics> make_layercast(const Model& model, const NumericsOptions& options);
std::unique_ptr<Numerics> make_oracle(const Model& model, const NumericsOptions& options);

}  // namespace kylin
