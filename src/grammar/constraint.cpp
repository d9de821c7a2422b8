#include "grammar/constraint.h"

#include <algorithm>

#include "base/error.h"

namespace kylin::grammar {
namespace {

bool ends_answer(const TokenTrie& trie, int32_t token) {
    const auto ends = trie.end_tokens();
    return std::find(ends.begin(), ends.end(), token) != ends.end();
}

}  // namespace

Constraint::Constraint(Program program, std::shared_ptr<const MaskCache> vocabulary)
    : program_(std::make_shared<const Program>(std::move(program))), vocabulary_(std::move(vocabulary)), start_(program_) {}

TokenMask Constraint::mask(const Matcher& matcher) const {
    const TokenTrie& trie = vocabulary_->trie();
    TokenMask mask(trie.n_tokens());
    MaskWalk walk(*program_, trie);
    Readings rest;
    for (const Item& item : matcher.readings().items) {
        if (const auto local = vocabulary_->find(*program_, item.node))
            local->add_to(mask, item, program_->rules[item.origin->rule], trie, walk);
        else
            rest.items.push_back(item);
    }
    if (!rest.items.empty())
        walk.walk(walk.intern(std::move(rest)), [&](uint32_t place, MaskWalk::State) {
            for (const int32_t id : trie.tokens(place)) mask.add(id);
        });
    if (matcher.may_end())
        for (const int32_t id : trie.end_tokens()) mask.add(id);
    if (mask.empty()) throw InputError("grammar", "no token of the vocabulary can go on with the text so far");
    return mask;
}

bool Constraint::accept(Matcher& matcher, int32_t token) const {
    const TokenTrie& trie = vocabulary_->trie();
    if (token < 0 || static_cast<size_t>(token) >= trie.n_tokens()) return false;
    if (ends_answer(trie, token)) return matcher.may_end();
    const std::string_view bytes = trie.spelled(token);
    return !bytes.empty() && matcher.accept(bytes);
}

}  // namespace kylin::grammar
