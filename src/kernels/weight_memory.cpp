#include "kernels/weight_memory.h"

#include <chrono>
#include <cstdint>
#include <new>
#include <string>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"

namespace kylin {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t huge_page = size_t{2} << 20;

// What a huge page may take before small ones are used instead, which take 1 ms for as many bytes. One that is at hand is zeroed in 0.2 ms;
// one that the system must first put together, or get from its host, took 7 ms.
constexpr auto patience = std::chrono::milliseconds(2);

std::byte* rounded_up(std::byte* p, size_t step) { return p + (step - reinterpret_cast<uintptr_t>(p) % step) % step; }
std::byte* rounded_down(std::byte* p, size_t step) { return p - reinterpret_cast<uintptr_t>(p) % step; }

void* reserve(size_t bytes) {
    void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw InputError("weights", "the system has no " + std::to_string(bytes >> 20) + " MiB of memory for them");
    return memory;
}

}  // namespace

void WeightMemory::Unmap::operator()(std::byte* memory) const { ::munmap(memory, bytes); }

WeightMemory::WeightMemory(size_t bytes)
    : mapping_(static_cast<std::byte*>(reserve(bytes + huge_page)), Unmap{bytes + huge_page}),
      begin_(rounded_up(mapping_.get(), huge_page)),
      next_(begin_),
      end_(begin_ + bytes) {
    ::madvise(begin_, bytes, MADV_HUGEPAGE);  // advice, here and below: failure costs time only
}

std::byte* WeightMemory::take(size_t bytes) {
    std::byte* part = rounded_up(next_, alignment);
    if (part > end_ || bytes > static_cast<size_t>(end_ - part)) throw std::bad_alloc();
    next_ = part + bytes;
    return part;
}

void WeightMemory::prepare([[maybe_unused]] std::byte* first, [[maybe_unused]] size_t bytes) {
#ifdef MADV_POPULATE_WRITE
    const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
    std::byte *from = rounded_down(first, page), *to = rounded_up(first + bytes, page);
    const auto start = Clock::now();
    ::madvise(from, static_cast<size_t>(to - from), MADV_POPULATE_WRITE);
    const auto pages = (rounded_up(to, huge_page) - rounded_down(from, huge_page)) / static_cast<ptrdiff_t>(huge_page);
    if (huge_ && Clock::now() - start > patience * pages && huge_.exchange(false))
        ::madvise(begin_, static_cast<size_t>(end_ - begin_), MADV_NOHUGEPAGE);
#endif
}

}  // namespace kylin
