// A set of token ids.
#pragma once
#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace kylin::grammar {

class TokenMask {
public:
    explicit TokenMask(size_t n_tokens = 0) : words_((n_tokens + 63) / 64) {}

    bool allows(size_t id) const { return id / 64 < words_.size() && (words_[id / 64] >> id % 64 & 1) != 0; }
    void add(int32_t id) { words_[static_cast<size_t>(id) / 64] |= bit(id); }
    void remove(int32_t id) { words_[static_cast<size_t>(id) / 64] &= ~bit(id); }
    void add_all(const TokenMask& other) {
        for (size_t i = 0; i < words_.size(); ++i) words_[i] |= other.words_[i];
    }
    bool empty() const {
        return std::all_of(words_.begin(), words_.end(), [](uint64_t w) { return w == 0; });
    }
    size_t size() const {
        size_t n = 0;
        for (const uint64_t w : words_) n += static_cast<size_t>(std::popcount(w));
        return n;
    }
    // In increasing order.
    template <class Visit>
    void for_each(Visit visit) const {
        for (size_t i = 0; i < words_.size(); ++i)
            for (uint64_t w = words_[i]; w != 0; w &= w - 1) visit(i * 64 + static_cast<size_t>(std::countr_zero(w)));
    }
    friend bool operator==(const TokenMask&, const TokenMask&) = default;

private:
    static uint64_t bit(int32_t id) { return uint64_t{1} << (static_cast<size_t>(id) % 64); }
    std::vector<uint64_t> words_;
};

}  // namespace kylin::grammar
