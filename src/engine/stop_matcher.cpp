#include "engine/stop_matcher.h"

#include <algorithm>
#include <utility>

namespace kylin {

StopMatcher::Automaton::Automaton(std::string text) : stop(std::move(text)), border(stop.size() + 1) {
    for (size_t i = 1, k = 0; i < stop.size(); ++i) {
        while (k > 0 && stop[i] != stop[k]) k = border[k];
        if (stop[i] == stop[k]) ++k;
        border[i + 1] = k;
    }
}

void StopMatcher::Automaton::read(char c) {
    while (length > 0 && stop[length] != c) length = border[length];
    if (stop[length] == c) ++length;
}

StopMatcher::StopMatcher(std::span<const std::string> stops) {
    for (const std::string& stop : stops) automata_.emplace_back(stop);
}

std::string StopMatcher::feed(std::string_view text) {
    if (matched_) return {};
    for (const char c : text) {
        held_ += c;
        size_t match = 0;
        for (Automaton& a : automata_) {
            a.read(c);
            if (a.complete()) match = std::max(match, a.stop.size());
        }
        if (match > 0) {
            matched_ = true;
            held_.resize(held_.size() - match);
            return std::exchange(held_, {});
        }
    }
    size_t possible = 0;
    for (const Automaton& a : automata_) possible = std::max(possible, a.length);
    std::string free = held_.substr(0, held_.size() - possible);
    held_.erase(0, free.size());
    return free;
}

std::string StopMatcher::finish() { return std::exchange(held_, {}); }

}  // namespace kylin
