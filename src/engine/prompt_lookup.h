// Guesses the next tokens from what was said before: answers repeat their prompt and themselves in quotes, code and lists.
// A guess never changes an answer. Guessed tokens run in one pass with the true one, and those are kept that would have been chosen anyway.
// After Saxena, "Prompt Lookup Decoding", 2023.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace kylin {

// What followed the latest of the longest earlier occurrences of the end of `tokens`: n_max tokens, or none where nothing of at least
// 3 tokens occurred before. An occurrence that reaches into the end goes on with the guess itself, as in a loop.
std::vector<int32_t> look_up(std::span<const int32_t> tokens, size_t n_max);

// The guesses for one answer, and how much they can be trusted.
class PromptLookup {
public:
    // The first tokens of what look_up says that are worth their rows, in a step that n_answers of one row each share. At most n_max.
    std::span<const int32_t> guess(std::span<const int32_t> tokens, size_t n_max, size_t n_answers);
    // The token that came, whether its guess was run or not: so a lookup that begins to be right is noticed at no cost.
    void judge(int32_t token);

    // The share of right guesses, the later ones weighing more.
    double rate() const { return rate_; }

private:
    double rate_ = 0.5;
    std::vector<int32_t> guess_;  // not judged yet
};

}  // namespace kylin
