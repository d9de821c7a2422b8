// The bytes of all tokens of a vocabulary as one tree, so that tokens which begin alike are tried together. Built once per vocabulary.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace kylin::grammar {

// Tokens such as <tool_call>, which text alone never becomes, are spelled with this byte in front, which no UTF-8 contains: a grammar
// says where they may stand, and they stand nowhere else.
inline constexpr char marker_byte = '\xFF';

class TokenTrie {
public:
    explicit TokenTrie(const Tokenizer& tokenizer);
    // token i is spelled tokens[i]; "" is never allowed.
    TokenTrie(std::span<const std::string> tokens, std::vector<int32_t> end_tokens);

    // In the order of a walk that visits parents first and children by byte.
    struct Node {
        uint32_t end;          // behind the last node below this one
        uint32_t first_token;  // those up to the next node's are spelled by the way to this one
        uint16_t depth;        // bytes before its own
        uint8_t byte;
    };
    size_t size() const { return nodes_.size() - 1; }
    const Node& node(size_t i) const { return nodes_[i]; }
    std::span<const int32_t> tokens(size_t node) const {
        return std::span(order_).subspan(nodes_[node].first_token, nodes_[node + 1].first_token - nodes_[node].first_token);
    }
    size_t longest() const { return longest_; }

    size_t n_tokens() const { return ends_.size(); }
    std::string_view spelled(int32_t id) const;  // id < n_tokens()
    // They end an answer. They are in no tree.
    std::span<const int32_t> end_tokens() const { return end_tokens_; }

private:
    void add(std::string_view spelling);
    void build();

    std::string spellings_;
    std::vector<size_t> ends_;  // in spellings_
    std::vector<int32_t> order_, end_tokens_;
    std::vector<Node> nodes_;  // and one behind the last
    size_t longest_ = 0;
};

}  // namespace kylin::grammar
