// A row's peaks are found where the row is made: they must be those of the values that are read in the end.
#pragma once
#include <gtest/gtest.h>
#include <vector>

#include "kernels/kernels.h"
#include "model/numerics.h"

namespace kylin {

inline void expect_own_peaks(const Numerics& math, Value logits) {
    std::vector<float> row(static_cast<size_t>(logits.width)), peaks(n_peaks(row.size())), expected(peaks.size());
    for (int r = 0; r < logits.rows; ++r) {
        math.read_row(logits, r, row);
        math.read_peaks(logits, r, peaks);
        select_kernels("scalar").find_peaks(row.data(), logits.width, expected.data());
        EXPECT_EQ(peaks, expected) << "row " << r;
    }
}

}  // namespace kylin
