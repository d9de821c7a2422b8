// Angles of rotary position embedding, computed in double (RoFormer, arXiv 2104.09864; YaRN, arXiv 2309.00071).
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "model/config.h"

namespace kylin {

// The cosines and sines of some positions, [positions, n_dims / 2] each, magnitude scale included.
struct RopeAngles {
    std::vector<double> cos, sin;
};
RopeAngles rope_angles(const Rope& rope, std::span<const int32_t> positions);

}  // namespace kylin
