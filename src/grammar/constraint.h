// A grammar for the answers of a model with a given vocabulary: which tokens may come next.
#pragma once
#include <memory>

#include "grammar/mask_cache.h"
#include "grammar/matcher.h"

namespace kylin::grammar {

// Shared by all answers to a request, and by requests that ask for the same. Safe to use from any thread.
class Constraint {
public:
    // Throws InputError when there are too many ways to begin.
    Constraint(Program program, std::shared_ptr<const MaskCache> vocabulary);

    const Matcher& start() const { return start_; }
    // What may follow the matcher's text: tokens whose bytes go on with it, and those that end the answer where it may end; never other
    // special tokens. Throws InputError when there is none, or when it is too expensive to find.
    TokenMask mask(const Matcher& matcher) const;
    // False, and nothing has changed, for a token that is not in the mask. One that ends the answer changes nothing either.
    bool accept(Matcher& matcher, int32_t token) const;

    size_t n_tokens() const { return vocabulary_->trie().n_tokens(); }
    const Program& program() const { return *program_; }

private:
    std::shared_ptr<const Program> program_;
    std::shared_ptr<const MaskCache> vocabulary_;
    Matcher start_;
};

}  // namespace kylin::grammar
