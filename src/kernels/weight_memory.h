// Memory for packed weights: reserved at once, handed out matrix by matrix, in huge pages while the system has them at hand.
#pragma once
#include <atomic>
#include <cstddef>
#include <memory>

namespace kylin {

class WeightMemory {
public:
    static constexpr size_t alignment = 64;

    explicit WeightMemory(size_t bytes);  // throws InputError when the system refuses so much

    // The next part, aligned; zeros. Throws std::bad_alloc behind the end.
    std::byte* take(size_t bytes);
    // Gets the pages of a part that is about to be written, all at once: a fault for each takes a third longer. Any thread may call it.
    void prepare(std::byte* first, size_t bytes);

private:
    struct Unmap {
        size_t bytes;
        void operator()(std::byte* memory) const;
    };
    std::unique_ptr<std::byte, Unmap> mapping_;
    std::byte *begin_, *next_, *end_;
    std::atomic<bool> huge_ = true;
};

}  // namespace kylin
