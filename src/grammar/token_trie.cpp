#include "grammar/token_trie.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace kylin::grammar {
namespace {

constexpr size_t max_token_bytes = std::numeric_limits<uint16_t>::max();

size_t common_prefix(std::string_view a, std::string_view b) {
    return static_cast<size_t>(
        std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(std::min(a.size(), b.size())), b.begin()).first - a.begin());
}

}  // namespace

TokenTrie::TokenTrie(const Tokenizer& tokenizer) : end_tokens_(tokenizer.end_of_generation().begin(), tokenizer.end_of_generation().end()) {
    for (int32_t id = 0; id < tokenizer.n_tokens(); ++id) {
        const std::string_view bytes = tokenizer.bytes(id);
        const bool has_marker = bytes.find(marker_byte) != std::string_view::npos;
        if (tokenizer.is_control(id) || tokenizer.ends_generation(id) || has_marker)
            add({});
        else
            add(tokenizer.is_special(id) ? marker_byte + std::string(bytes) : bytes);
    }
    build();
}

TokenTrie::TokenTrie(std::span<const std::string> tokens, std::vector<int32_t> end_tokens) : end_tokens_(std::move(end_tokens)) {
    for (const std::string& token : tokens) add(token);
    build();
}

void TokenTrie::add(std::string_view spelling) {
    if (spelling.size() <= max_token_bytes) spellings_ += spelling;
    ends_.push_back(spellings_.size());
}

std::string_view TokenTrie::spelled(int32_t id) const {
    const auto i = static_cast<size_t>(id);
    const size_t begin = i == 0 ? 0 : ends_[i - 1];
    return std::string_view(spellings_).substr(begin, ends_[i] - begin);
}

void TokenTrie::build() {
    for (int32_t id = 0; id < static_cast<int32_t>(n_tokens()); ++id)
        if (!spelled(id).empty()) order_.push_back(id);
    std::stable_sort(order_.begin(), order_.end(), [&](int32_t a, int32_t b) { return spelled(a) < spelled(b); });

    std::vector<uint32_t> path;  // the nodes of the last spelling
    std::string_view last;
    const auto close_from = [&](size_t depth) {
        for (; path.size() > depth; path.pop_back()) nodes_[path.back()].end = static_cast<uint32_t>(nodes_.size());
    };
    for (uint32_t i = 0; i < order_.size(); ++i) {
        const std::string_view spelling = spelled(order_[i]);
        longest_ = std::max(longest_, spelling.size());
        const size_t common = common_prefix(last, spelling);
        if (spelling.size() == common && !path.empty()) continue;  // spelled like the last one
        close_from(common);
        for (size_t depth = common; depth < spelling.size(); ++depth) {
            path.push_back(static_cast<uint32_t>(nodes_.size()));
            nodes_.push_back({0, i, static_cast<uint16_t>(depth), static_cast<uint8_t>(spelling[depth])});
        }
        last = spelling;
    }
    close_from(0);
    nodes_.push_back({static_cast<uint32_t>(nodes_.size()), static_cast<uint32_t>(order_.size()), 0, 0});
}

}  // namespace kylin::grammar
