// This test program's operator new: it counts, and fails once where it is told to.
#pragma once

namespace kylin::testing {

// While it lives, the nth allocation from its construction on fails, whichever thread asks for it.
class FailingAllocation {
public:
    explicit FailingAllocation(long n);
    ~FailingAllocation();
    FailingAllocation(const FailingAllocation&) = delete;
    FailingAllocation& operator=(const FailingAllocation&) = delete;
    bool happened() const;
};

long n_allocated();  // and not yet given back

}  // namespace kylin::testing
