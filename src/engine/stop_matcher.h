// Finds the first stop string in text that arrives in pieces, and holds back what may yet become one.
// First means: ends first; of those that end together, the longest. So the result does not depend on how the text was cut.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kylin {

class StopMatcher {
public:
    explicit StopMatcher(std::span<const std::string> stops);  // none is empty

    // Returns the text that can no longer be part of a stop string. After a match: what came before it, and nothing ever again.
    std::string feed(std::string_view text);
    // The end of the text: what was held back.
    std::string finish();
    bool matched() const { return matched_; }

private:
    // Knuth, Morris, Pratt: `length` of the stop string's bytes end the text read so far; `border[i]` is the length of the longest
    // proper prefix of the first i bytes that also ends them.
    struct Automaton {
        explicit Automaton(std::string stop);
        void read(char c);
        bool complete() const { return length == stop.size(); }
        std::string stop;
        std::vector<size_t> border;
        size_t length = 0;
    };
    std::vector<Automaton> automata_;
    std::string held_;
    bool matched_ = false;
};

}  // namespace kylin
