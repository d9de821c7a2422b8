#include "numerics/plain.h"

namespace kylin {

std::unique_ptr<Numerics> make_layercast(const Model& model, const NumericsOptions& options) {
    return std::make_unique<Plain<float>>(model, options);
}
std::unique_ptr<Numerics> make_oracle(const Model& model, const NumericsOptions& options) {
    return std::make_unique<Plain<double>>(model, options);
}

}  // namespace kylin
