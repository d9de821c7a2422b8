#include "kernels/weight_memory.h"

#include <algorithm>
#include <cstdint>
#include <gtest/gtest.h>
#include <limits>
#include <new>
#include <thread>
#include <vector>

#include "base/error.h"

namespace kylin {
namespace {

bool is_aligned(const std::byte* p) { return reinterpret_cast<uintptr_t>(p) % WeightMemory::alignment == 0; }

TEST(WeightMemory, PartsAreAlignedAndDoNotOverlap) {
    WeightMemory memory(1024);
    std::byte *a = memory.take(100), *b = memory.take(1), *c = memory.take(64);
    EXPECT_TRUE(is_aligned(a) && is_aligned(b) && is_aligned(c));
    EXPECT_GE(b, a + 100);
    EXPECT_GE(c, b + 1);
}

TEST(WeightMemory, GivesAllOfItAndNoMore) {
    WeightMemory memory(640);
    memory.take(640);
    EXPECT_NO_THROW(memory.take(0));
    EXPECT_THROW(memory.take(1), std::bad_alloc);
}

TEST(WeightMemory, RefusesWhatTheSystemDoesNotHave) { EXPECT_THROW(WeightMemory(std::numeric_limits<size_t>::max() / 4), InputError); }

// Parts of any size and place keep their bytes while their neighbours get pages.
TEST(WeightMemory, PreparingKeepsWhatIsThere) {
    constexpr size_t part = 300'000, n_parts = 32;  // 9.6 MB, so that huge pages fit
    WeightMemory memory((part + WeightMemory::alignment) * n_parts);
    std::vector<std::byte*> parts;
    for (size_t i = 0; i < n_parts; ++i) parts.push_back(memory.take(part));
    const auto fill = [&](size_t first) {
        for (size_t i = first; i < n_parts; i += 2) {
            memory.prepare(parts[i], part);
            std::fill_n(parts[i], part, static_cast<std::byte>(i + 1));
        }
    };
    std::thread odd(fill, 1);
    fill(0);
    odd.join();
    for (size_t i = 0; i < n_parts; ++i)
        EXPECT_TRUE(std::all_of(parts[i], parts[i] + part, [&](std::byte b) { return b == static_cast<std::byte>(i + 1); })) << i;
}

}  // namespace
}  // namespace kylin
