// How many bytes of heap this program held at most: a hostile file must not make that large.
#pragma once
#include <cstddef>

namespace kylin::testing {

class AllocationMeter {
public:
    AllocationMeter();       // counts from here
    size_t peak() const;     // above what was held at the start
    size_t largest() const;  // single allocation

private:
    size_t start_;
};

}  // namespace kylin::testing
