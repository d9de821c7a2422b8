#include "grammar/local_mask.h"

#include <algorithm>

namespace kylin::grammar {
namespace {

constexpr uint32_t never = unlimited;

// Whether the tail may follow so many repetitions.
bool suffices(const Program::Rule& rule, uint64_t completed) {
    return completed >= rule.min && (rule.max == unlimited || completed <= rule.max);
}

}  // namespace

LocalMask::LocalMask(const Program& program, const TokenTrie& trie, uint32_t node)
    : is_counted_(program.nodes[node].in_body), inside_(trie.n_tokens()) {
    MaskWalk walk(program, trie);
    walk.walk(walk.intern(walk.reader().start_at(node)),
              [&](uint32_t place, MaskWalk::State state) { record(program, trie, place, walk.readings(state)); });
    std::sort(more_.begin(), more_.end(), [](const Inside& a, const Inside& b) { return a.begun > b.begun; });
}

void LocalMask::record(const Program& program, const TokenTrie& trie, uint32_t place, const Readings& readings) {
    const auto tokens = trie.tokens(place);
    if (trie.node(place).end > place + 1)
        for (const uint32_t completed : readings.ended) exits_.push_back({place, completed});
    if (!is_counted_)
        for (const int32_t id : tokens) inside_.add(id);
    if (!is_counted_ || tokens.empty()) return;

    uint32_t begun = never;
    std::vector<uint32_t> completed = readings.ended;
    for (const Item& item : readings.items) {
        if (program.nodes[item.node].in_body)
            begun = std::min(begun, item.count);
        else
            completed.push_back(item.count);
    }
    const bool is_between = begun != never && completed.size() == 1;  // behind one repetition: the tail, or the next one
    for (const int32_t id : tokens) {
        if (begun != never) inside_.add(id);
        if (begun != never && begun > 0) more_.push_back({id, begun, is_between ? completed.front() : never});
        if (!is_between)
            for (const uint32_t n : completed) tail_.push_back({id, n});
    }
}

void LocalMask::add_counted(TokenMask& mask, uint32_t count, const Program::Rule& rule) const {
    for (const Tail& t : tail_)
        if (suffices(rule, uint64_t{count} + t.completed)) mask.add(t.id);
    const uint32_t left = rule.max == unlimited ? unlimited : rule.max - count;
    if (more_.empty() || more_.front().begun <= left) return mask.add_all(inside_);
    TokenMask near = inside_;
    for (const Inside& token : more_) {
        if (token.begun <= left) break;
        if (token.completed == never || !suffices(rule, uint64_t{count} + token.completed)) near.remove(token.id);
    }
    mask.add_all(near);
}

void LocalMask::add_to(TokenMask& mask, const Item& item, const Program::Rule& rule, const TokenTrie& trie, MaskWalk& walk) const {
    if (is_counted_)
        add_counted(mask, item.count, rule);
    else
        mask.add_all(inside_);
    const MaskWalk::State after = walk.intern(walk.reader().after(*item.origin));
    if (walk.readings(after).items.empty()) return;
    for (const Exit& exit : exits_)
        if (!is_counted_ || suffices(rule, uint64_t{item.count} + exit.completed))
            walk.walk_below(exit.place, after, [&](uint32_t place, MaskWalk::State) {
                for (const int32_t id : trie.tokens(place)) mask.add(id);
            });
}

}  // namespace kylin::grammar
