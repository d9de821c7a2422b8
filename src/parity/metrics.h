// How far two versions of one stage are apart. `b` is the reference.
#pragma once
#include <cstddef>
#include <span>

#include "parity/trace.h"

namespace kylin::parity {

struct Difference {
    double max_abs = 0, mean_abs = 0;
    double nmse = 0;  // sum (a - b)^2 / sum b^2
    double cosine = 1;
    double worst_row = 0;  // largest |a - b|_2 / |b|_2 of a row
    size_t worst_at = 0;   // index of max_abs
    bool finite = true;    // no NaN or Inf on either side
};

// Throws InputError naming the stage when the shapes differ.
Difference difference(const std::string& stage, const TraceTensor& a, const TraceTensor& b);

}  // namespace kylin::parity
