// Answers as a model would give them: one token after the other, each from the mask.
#pragma once
#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "grammar/constraint.h"

namespace kylin::grammar {

struct Walk {
    std::string text;             // with the marker byte before special tokens
    std::vector<int32_t> tokens;  // without the one that ends it
    bool has_ended = false;
};

// Chooses at random, and after `patience` tokens whatever brings the answer to its end.
inline Walk random_walk(const Constraint& constraint, const TokenTrie& trie, Random& random, int patience = 60, int limit = 2000) {
    Walk walk;
    Matcher matcher = constraint.start();
    for (int i = 0; i < limit; ++i) {
        std::vector<int32_t> allowed;
        constraint.mask(matcher).for_each([&](size_t id) { allowed.push_back(static_cast<int32_t>(id)); });
        int32_t choice = allowed[random.below(allowed.size())];
        if (i >= patience) {
            const auto find = [&](std::string_view spelled) {
                return std::find_if(allowed.begin(), allowed.end(), [&](int32_t id) { return trie.spelled(id) == spelled; });
            };
            for (const std::string_view last : {"", "\"", "}", "]", "\xFF</think>", "\xFF</tool_call>"})
                if (const auto it = find(last); it != allowed.end() && random.below(8) > 0) {
                    choice = *it;
                    break;
                }
        }
        const auto ends = trie.end_tokens();
        if (std::find(ends.begin(), ends.end(), choice) != ends.end()) {
            walk.has_ended = true;
            break;
        }
        if (!constraint.accept(matcher, choice)) break;
        walk.tokens.push_back(choice);
        walk.text += trie.spelled(choice);
    }
    return walk;
}

// The text cut into tokens at random; nullopt: a mask or the matcher refuses one, or the answer may not end behind them.
inline std::optional<std::vector<int32_t>> accepted_tokens(const Constraint& constraint, const TokenTrie& trie, std::string_view text,
                                                           Random& random) {
    Matcher matcher = constraint.start();
    std::vector<int32_t> tokens;
    while (!text.empty()) {
        std::vector<int32_t> fitting;
        for (int32_t id = 0; id < static_cast<int32_t>(trie.n_tokens()); ++id)
            if (const auto s = trie.spelled(id); !s.empty() && text.substr(0, s.size()) == s) fitting.push_back(id);
        const int32_t token = fitting[random.below(fitting.size())];
        if (!constraint.mask(matcher).allows(static_cast<size_t>(token)) || !constraint.accept(matcher, token)) return std::nullopt;
        tokens.push_back(token);
        text.remove_prefix(trie.spelled(token).size());
    }
    return matcher.may_end() ? std::optional(tokens) : std::nullopt;
}

}  // namespace kylin::grammar
