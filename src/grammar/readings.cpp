#include "grammar/readings.h"

#include <algorithm>
#include <fmt/format.h>
#include <utility>

#include "base/error.h"

namespace kylin::grammar {
namespace {

// Up to here comparing with every item is faster than a table.
constexpr size_t few_items = 16;
constexpr uint32_t no_item = unlimited;

size_t hash(const Item& item) {
    const uint64_t place = uint64_t{item.node} << 32 | item.count;
    const uint64_t h = (place ^ reinterpret_cast<uintptr_t>(item.origin.get())) * 0x9E3779B97F4A7C15u;
    return h ^ h >> 32;
}

}  // namespace

Readings Reader::start() {
    const auto root = std::make_shared<Call>(Call{program_.root, 0, {}});
    if (program_.is_nullable) next_.ended.push_back(0);
    enter(program_.root, root);
    return finish();
}

Readings Reader::start_at(uint32_t node) {
    const uint32_t rule = program_.nodes[node].rule;
    const auto base = std::make_shared<Call>(Call{rule, 0, {}, program_.nodes[node].in_body});
    add({node, 0, base});
    return finish();
}

Readings Reader::advance(const Readings& readings, uint8_t byte) {
    for (const Item& item : readings.items) {
        const auto edges = program_.edges(program_.nodes[item.node]);
        const auto edge = std::partition_point(edges.begin(), edges.end(), [&](const Program::Edge& e) { return e.high < byte; });
        if (edge != edges.end() && edge->low <= byte) arrive(edge->to, item.count, item.origin);
    }
    return finish();
}

Readings Reader::after(const Call& call) {
    end(call, 0);
    return finish();
}

void Reader::arrive(uint32_t id, uint32_t count, const CallPtr& origin) {
    const Program::Node& node = program_.nodes[id];
    if (fits(origin->depth, node.height) && add({id, count, origin}) && node.accepting) complete(node, count, origin);
}

void Reader::complete(const Program::Node& node, uint32_t count, const CallPtr& origin) {
    if (!node.in_body) return end(*origin, count);
    const Program::Rule& rule = program_.rules[node.rule];
    const bool relative = origin->is_relative;
    if (relative || count < rule.max) {
        // Beyond the minimum of an unlimited repetition the count does not matter: one item stands for all.
        const uint32_t next = !relative && rule.max == unlimited ? std::min(count + 1, std::max(rule.min, 1u)) : count + 1;
        add({rule.start, next, origin});
    }
    if (relative || count >= rule.min) {
        const uint32_t tail_count = relative ? count : 0;
        add({rule.tail, tail_count, origin});
        if (program_.nodes[rule.tail].accepting) end(*origin, tail_count);
    }
}

void Reader::end(const Call& call, uint32_t count) {
    for (const Item& to : call.returns) arrive(to.node, to.count, to.origin);
    if (call.returns.empty() && std::find(next_.ended.begin(), next_.ended.end(), count) == next_.ended.end()) next_.ended.push_back(count);
}

// Nothing is complete yet: a call reads at least one byte.
void Reader::enter(uint32_t id, const CallPtr& call) {
    const Program::Rule& rule = program_.rules[id];
    add({rule.start, rule.is_counted ? 1u : 0u, call});
    if (rule.is_counted && rule.min == 0) add({rule.tail, 0, call});
}

void Reader::call_rules(size_t index) {
    const Program::Node& node = program_.nodes[next_.items[index].node];
    for (const Program::RuleEdge& edge : program_.calls(node)) {
        const Item from = next_.items[index];
        const uint32_t depth = from.origin->depth;
        const uint32_t height = std::max(program_.rules[edge.rule].height, program_.nodes[edge.to].height);
        if (!fits(depth, height)) continue;
        auto it =
            std::find_if(entered_.begin(), entered_.end(), [&](const Entered& e) { return e.rule == edge.rule && e.depth == depth + 1; });
        const bool is_new = it == entered_.end();
        if (is_new) it = entered_.insert(it, {edge.rule, depth + 1, std::make_shared<Call>(Call{edge.rule, depth + 1, {}})});
        it->call->returns.push_back({edge.to, from.count, from.origin});
        if (is_new) enter(edge.rule, CallPtr(it->call));
    }
}

bool Reader::add(Item item) {
    auto& items = next_.items;
    if (items.size() < few_items) {
        if (std::find(items.begin(), items.end(), item) != items.end()) return false;
        items.push_back(std::move(item));
        return true;
    }
    const size_t limit = program_.limits.match_items;
    if (items.size() >= limit) {
        next_ = {};
        entered_.clear();
        slots_.clear();
        throw InputError("grammar", fmt::format("the text can be read in more than {} ways", limit));
    }
    const auto slot_of = [&](const Item& x) {
        size_t at = hash(x) % slots_.size();
        while (slots_[at] != no_item && !(items[slots_[at]] == x)) at = (at + 1) % slots_.size();
        return at;
    };
    if (slots_.empty()) {
        slots_.assign(2 * limit, no_item);
        for (size_t i = 0; i < items.size(); ++i) slots_[slot_of(items[i])] = static_cast<uint32_t>(i);
    }
    const size_t slot = slot_of(item);
    if (slots_[slot] != no_item) return false;
    slots_[slot] = static_cast<uint32_t>(items.size());
    items.push_back(std::move(item));
    return true;
}

Readings Reader::finish() {
    for (size_t i = 0; i < next_.items.size(); ++i) call_rules(i);
    std::erase_if(next_.items, [&](const Item& item) { return program_.nodes[item.node].n_edges == 0; });
    entered_.clear();
    slots_.clear();
    return std::exchange(next_, {});
}

}  // namespace kylin::grammar
