#include "grammar/mask_walk.h"

#include <algorithm>
#include <tuple>

#include "base/error.h"

namespace kylin::grammar {
namespace {

bool before(const Item& a, const Item& b) {
    return std::make_tuple(a.node, a.count, a.origin.get()) < std::make_tuple(b.node, b.count, b.origin.get());
}

size_t hash(const Readings& readings) {
    uint64_t h = readings.items.size();
    const auto add = [&](uint64_t x) { h = (h ^ x) * 0x9E3779B97F4A7C15u, h ^= h >> 29; };
    for (const Item& item : readings.items) {
        add(uint64_t{item.node} << 32 | item.count);
        add(reinterpret_cast<uintptr_t>(item.origin.get()));
    }
    for (const uint32_t count : readings.ended) add(count);
    return h;
}

}  // namespace

MaskWalk::State MaskWalk::intern(Readings readings) {
    std::sort(readings.items.begin(), readings.items.end(), before);
    std::sort(readings.ended.begin(), readings.ended.end());
    const size_t h = hash(readings);
    const auto [first, last] = by_hash_.equal_range(h);
    for (auto it = first; it != last; ++it)
        if (states_[it->second].items == readings.items && states_[it->second].ended == readings.ended) return it->second;
    const auto state = static_cast<State>(states_.size());
    states_.push_back(std::move(readings));
    edges_.resize(edges_.size() + program_.n_classes, state == dead ? dead : unknown);
    by_hash_.emplace(h, state);
    return state;
}

MaskWalk::State MaskWalk::make_step(State state, uint8_t byte) {
    const uint64_t cost = 1 + states_[state].items.size();
    if (cost > left_) throw InputError("grammar", "takes too many steps to find the tokens that may come next");
    left_ -= cost;
    const State next = intern(reader_.advance(states_[state], byte));
    edges_[state * program_.n_classes + program_.byte_classes[byte]] = next;
    return next;
}

}  // namespace kylin::grammar
