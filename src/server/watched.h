// The answers whose values were watched: the last ones, and the least headroom of all. I/O thread only.
#pragma once
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "engine/event.h"
#include "engine/watch.h"

namespace kylin::server {

struct WatchedAnswer {
    std::string id;  // as in the answer itself
    Usage usage;     // of all choices together
    Activations activations;
};

class WatchedAnswers {
public:
    static constexpr size_t n_kept = 16;  // some 20 kB each, for a model of 28 layers

    void keep(WatchedAnswer answer);
    const WatchedAnswer* last() const { return kept_.empty() ? nullptr : &kept_.back(); }
    const WatchedAnswer* find(std::string_view id) const;  // nullptr: never watched, or too long ago

    uint64_t n_total() const { return n_total_; }
    double least_headroom() const;  // 65504 / largest magnitude: below 1, F16 would overflow; infinite before the first

private:
    std::deque<WatchedAnswer> kept_;
    uint64_t n_total_ = 0;
    double largest_ = 0;
};

}  // namespace kylin::server
