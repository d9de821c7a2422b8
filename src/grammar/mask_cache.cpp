#include "grammar/mask_cache.h"

#include <algorithm>

namespace kylin::grammar {
namespace {

// Each takes 20 kB to 2 MB with a vocabulary of 150 000. A schema without patterns has three or four such nodes, and shares them.
constexpr size_t max_entries = 64;

}  // namespace

std::shared_ptr<const LocalMask> MaskCache::find(const Program& program, uint32_t node) const {
    const Program::Node& n = program.nodes[node];
    const Program::Rule& rule = program.rules[n.rule];
    if (!n.is_wide || rule.shape.empty()) return nullptr;
    const uint32_t within = node - rule.start;

    const std::lock_guard lock(mutex_);
    const auto known =
        std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.node == within && e.shape == rule.shape; });
    if (known != entries_.end()) {
        entries_.splice(entries_.begin(), entries_, known);
    } else {
        entries_.push_front({rule.shape, within, std::make_shared<const LocalMask>(program, trie_, node)});
        if (entries_.size() > max_entries) entries_.pop_back();
    }
    return entries_.front().mask;
}

}  // namespace kylin::grammar
