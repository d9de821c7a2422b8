// Which sequence owns which pages of the KV cache. Storage is the numerics' business; here are only numbers.
#pragma once
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "model/batch.h"

namespace kylin {

constexpr int pages_for(int n_positions) { return (n_positions + page_positions - 1) / page_positions; }

class PageTable;

// A fixed number of pages; every one is either free or in exactly one table. One thread.
class PagePool {
public:
    explicit PagePool(int n_pages);
    int n_total() const { return n_total_; }
    int n_free() const { return static_cast<int>(free_.size()); }

private:
    friend class PageTable;
    int n_total_;
    std::vector<int32_t> free_;
};

// The pages of one sequence, in order of position. Gives them back when it ends; the pool must outlive it.
class PageTable {
public:
    explicit PageTable(PagePool& pool) : pool_(&pool) {}
    PageTable(PageTable&& other) noexcept : pool_(other.pool_), pages_(std::exchange(other.pages_, {})) {}
    PageTable& operator=(PageTable&& other) noexcept;
    ~PageTable() { resize(0); }

    // Exactly n pages, the first ones kept. False, and nothing changed, when the pool has too few.
    bool resize(int n);
    std::span<const int32_t> pages() const { return pages_; }
    int size() const { return static_cast<int>(pages_.size()); }

private:
    PagePool* pool_;
    std::vector<int32_t> pages_;
};

}  // namespace kylin
