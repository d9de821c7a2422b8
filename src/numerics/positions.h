// Positions of the rows of a batch.
#pragma once
#include <cstdint>
#include <vector>

#include "model/batch.h"

namespace kylin {

inline std::vector<int32_t> positions_of(const Batch& batch) {
    std::vector<int32_t> positions;
    for (const Chunk& c : batch.chunks)
        for (int r = 0; r < c.n_rows; ++r) positions.push_back(c.first_position + r);
    return positions;
}

}  // namespace kylin
