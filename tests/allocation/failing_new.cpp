#include "failing_new.h"

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

std::atomic<long> held{0}, until_failure{0};  // until_failure counts down; it fails at 1

void* allocate(size_t n, size_t alignment) noexcept {
    if (until_failure > 0 && until_failure.fetch_sub(1) == 1) return nullptr;
    const size_t size = (n + alignment) / alignment * alignment;
    void* p = std::aligned_alloc(alignment, size);
    if (p) ++held;
    return p;
}

void* allocate_or_throw(size_t n, size_t alignment = alignof(std::max_align_t)) {
    void* p = allocate(n, alignment);
    if (!p) throw std::bad_alloc();
    return p;
}

void release(void* p) noexcept {
    if (p) --held;
    std::free(p);
}

}  // namespace

void* operator new(size_t n) { return allocate_or_throw(n); }
void* operator new[](size_t n) { return allocate_or_throw(n); }
void* operator new(size_t n, std::align_val_t a) { return allocate_or_throw(n, static_cast<size_t>(a)); }
void* operator new[](size_t n, std::align_val_t a) { return allocate_or_throw(n, static_cast<size_t>(a)); }
void* operator new(size_t n, const std::nothrow_t&) noexcept { return allocate(n, alignof(std::max_align_t)); }
void* operator new[](size_t n, const std::nothrow_t&) noexcept { return allocate(n, alignof(std::max_align_t)); }
void operator delete(void* p) noexcept { release(p); }
void operator delete[](void* p) noexcept { release(p); }
void operator delete(void* p, size_t) noexcept { release(p); }
void operator delete[](void* p, size_t) noexcept { release(p); }
void operator delete(void* p, std::align_val_t) noexcept { release(p); }
void operator delete[](void* p, std::align_val_t) noexcept { release(p); }
void operator delete(void* p, size_t, std::align_val_t) noexcept { release(p); }
void operator delete[](void* p, size_t, std::align_val_t) noexcept { release(p); }
void operator delete(void* p, const std::nothrow_t&) noexcept { release(p); }
void operator delete[](void* p, const std::nothrow_t&) noexcept { release(p); }

namespace kylin::testing {

FailingAllocation::FailingAllocation(long n) { until_failure = n; }
FailingAllocation::~FailingAllocation() { until_failure = 0; }
bool FailingAllocation::happened() const { return until_failure <= 0; }
long n_allocated() { return held; }

}  // namespace kylin::testing
