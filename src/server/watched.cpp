#include "server/watched.h"

#include <algorithm>

namespace kylin::server {
namespace {

constexpr double f16_max = 65504;

}  // namespace

void WatchedAnswers::keep(WatchedAnswer answer) {
    ++n_total_;
    for (size_t stage = 0; stage < n_stages; ++stage)
        for (const Activations::Cell& cell : answer.activations.of(static_cast<Stage>(stage))) largest_ = std::max(largest_, cell.largest);
    kept_.push_back(std::move(answer));
    if (kept_.size() > n_kept) kept_.pop_front();
}

const WatchedAnswer* WatchedAnswers::find(std::string_view id) const {
    const auto it = std::ranges::find(kept_, id, &WatchedAnswer::id);
    return it == kept_.end() ? nullptr : &*it;
}

double WatchedAnswers::least_headroom() const { return f16_max / largest_; }

}  // namespace kylin::server
