// Replaces operator new and delete of the test program by counting ones.
#include "allocation_meter.h"

#include <atomic>
#include <cstdlib>
#include <malloc.h>
#include <new>

namespace {

std::atomic<size_t> held{0}, most_held{0}, largest_single{0};

void raise_to(std::atomic<size_t>& most, size_t value) {
    size_t old = most.load();
    while (value > old && !most.compare_exchange_weak(old, value)) {
    }
}

void* counted_or_null(size_t n) {
    void* p = std::malloc(n > 0 ? n : 1);
    if (!p) return nullptr;
    const size_t usable = malloc_usable_size(p);
    raise_to(largest_single, usable);
    raise_to(most_held, held += usable);
    return p;
}

void* counted(size_t n) {
    void* p = counted_or_null(n);
    if (!p) throw std::bad_alloc();
    return p;
}

void uncounted(void* p) noexcept {
    if (p) held -= malloc_usable_size(p);
    std::free(p);
}

}  // namespace

void* operator new(size_t n) { return counted(n); }
void* operator new[](size_t n) { return counted(n); }
void* operator new(size_t n, const std::nothrow_t&) noexcept { return counted_or_null(n); }
void* operator new[](size_t n, const std::nothrow_t&) noexcept { return counted_or_null(n); }
void operator delete(void* p) noexcept { uncounted(p); }
void operator delete[](void* p) noexcept { uncounted(p); }
void operator delete(void* p, size_t) noexcept { uncounted(p); }
void operator delete[](void* p, size_t) noexcept { uncounted(p); }
void operator delete(void* p, const std::nothrow_t&) noexcept { uncounted(p); }
void operator delete[](void* p, const std::nothrow_t&) noexcept { uncounted(p); }

namespace kylin::testing {

AllocationMeter::AllocationMeter() : start_(held) {
    most_held = start_;
    largest_single = 0;
}
size_t AllocationMeter::peak() const { return most_held - start_; }
size_t AllocationMeter::largest() const { return largest_single; }

}  // namespace kylin::testing
