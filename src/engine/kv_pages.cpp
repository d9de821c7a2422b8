#include "engine/kv_pages.h"

namespace kylin {

// Capacity for all pages from the start: giving pages back never allocates.
PagePool::PagePool(int n_pages) : n_total_(n_pages), n_holders_(static_cast<size_t>(n_pages)) {
    free_.reserve(static_cast<size_t>(n_pages));
    for (int32_t page = n_pages - 1; page >= 0; --page) free_.push_back(page);
}

PageTable& PageTable::operator=(PageTable&& other) noexcept {
    if (this == &other) return *this;
    resize(0);
    pool_ = other.pool_;
    pages_ = std::exchange(other.pages_, {});
    return *this;
}

bool PageTable::resize(int n) {
    if (n - size() > pool_->n_free()) return false;
    pages_.reserve(static_cast<size_t>(n));
    for (; size() > n; pages_.pop_back())
        if (--pool_->n_holders_[static_cast<size_t>(pages_.back())] == 0) pool_->free_.push_back(pages_.back());
    for (; size() < n; pool_->free_.pop_back()) {
        pages_.push_back(pool_->free_.back());
        pool_->n_holders_[static_cast<size_t>(pages_.back())] = 1;
    }
    return true;
}

void PageTable::share(const PageTable& other, size_t index) {
    const int32_t page = other.pages_[index];
    pages_.push_back(page);
    ++pool_->n_holders_[static_cast<size_t>(page)];
}

}  // namespace kylin
