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

// A fixed number of pages; every one is either free or in tables, as often as its number of holders says. One thread.
class PagePool {
public:
    explicit PagePool(int n_pages);
    int n_total() const { return n_total_; }
    int n_free() const { return static_cast<int>(free_.size()); }
    int n_holders(int32_t page) const { return n_holders_[static_cast<size_t>(page)]; }

private:
    friend class PageTable;
    int n_total_;
    std::vector<int32_t> free_;
    std::vector<int32_t> n_holders_;
};

// The pages of one text, in order of position. Gives them back when it ends; the pool must outlive it.
class PageTable {
public:
    explicit PageTable(PagePool& pool) : pool_(&pool) {}
    PageTable(PageTable&& other) noexcept : pool_(other.pool_), pages_(std::exchange(other.pages_, {})) {}
    PageTable& operator=(PageTable&& other) noexcept;
    ~PageTable() { resize(0); }

    // Exactly n pages, the first ones kept. False, and nothing changed, when the pool has too few.
    bool resize(int n);
    // Adds the page other.pages()[index], which both hold from now on.
    void share(const PageTable& other, size_t index);
    std::span<const int32_t> pages() const { return pages_; }
    int size() const { return static_cast<int>(pages_.size()); }

private:
    PagePool* pool_;
    std::vector<int32_t> pages_;
};

}  // namespace kylin
