// Merging keeps a linked list of symbols and a heap of the pairs that may merge, and forgets stale pairs when they come up.
#include "text/bpe.h"

#include <algorithm>
#include <bit>
#include <functional>

#include "text/unicode.h"

namespace kylin {
namespace {

constexpr std::string_view merges_key = "tokenizer.ggml.merges";
constexpr size_t ahead = 16;  // merges between asking for memory and looking at it

// Reads "left right" against the vocabulary.
class MergeReader {
public:
    MergeReader(const gguf::File& file, const Vocabulary& vocabulary) : file_(file), vocabulary_(vocabulary) {}

    struct Tokens {
        int32_t left, right, merged;
    };
    Tokens read(std::string_view line, size_t rank) {
        const auto [left, right] = split(line);
        if (right.empty()) fail(line, rank, "is not two tokens with a space between them");
        const auto known = [&](std::string_view text) {
            const auto id = vocabulary_.find(text);
            if (!id) fail(line, rank, "needs \"" + to_valid_utf8(text) + "\", which is no token");
            return *id;
        };
        // Most files list the merged tokens in the order of their merges: look at the next one before searching.
        const std::string_view next = next_ < vocabulary_.size() ? vocabulary_.text(next_) : "";
        const bool expected = next.size() == left.size() + right.size() && next.starts_with(left) && next.ends_with(right);
        const Tokens tokens = {known(left), known(right), expected ? next_ : known(std::string(left).append(right))};
        next_ = tokens.merged + 1;
        return tokens;
    }
    // Looking for tokens is nothing but cache misses: a line that is read soon is announced.
    void expect(std::string_view line) const {
        const auto [left, right] = split(line);
        vocabulary_.prefetch(left);
        vocabulary_.prefetch(right);
    }

private:
    // At the first space behind the first character, for a token may itself begin with one. Both are empty where there is none.
    static std::pair<std::string_view, std::string_view> split(std::string_view line) {
        const size_t space = line.find(' ', 1);
        if (space == std::string_view::npos) return {};
        return {line.substr(0, space), line.substr(space + 1)};
    }
    [[noreturn]] void fail(std::string_view line, size_t rank, const std::string& what) const {
        file_.fail(merges_key, "merge " + std::to_string(rank) + " \"" + to_valid_utf8(line) + "\" " + what);
    }

    const gguf::File& file_;
    const Vocabulary& vocabulary_;
    int32_t next_ = 0;
};

}  // namespace

MergeTable::MergeTable(const gguf::File& file, const Vocabulary& vocabulary) {
    const StringList* merges = file.find_strings(merges_key);
    if (!merges) file.fail(merges_key, "is missing");
    MergeReader reader(file, vocabulary);
    std::vector<Slot> entries;
    entries.reserve(merges->size());
    for (size_t rank = 0; rank < merges->size(); ++rank) {
        if (rank + ahead < merges->size()) reader.expect((*merges)[rank + ahead]);
        const auto [left, right, merged] = reader.read((*merges)[rank], rank);
        entries.push_back({key(left, right), {static_cast<uint32_t>(rank), merged}});
    }
    fill(entries);
}

// Filling is nothing but cache misses; asking for the slots ahead of time halves the loading of a table of 150 000 merges.
void MergeTable::fill(const std::vector<Slot>& entries) {
    slots_.resize(std::bit_ceil(entries.size() + entries.size() / 2 + 1));
    for (size_t i = 0; i < entries.size(); ++i) {
        if (i + ahead < entries.size()) __builtin_prefetch(&slots_[home(entries[i + ahead].key)], 1);
        Slot& slot = slots_[slot_of(entries[i].key)];
        if (slot.key == no_key) slot = entries[i];  // when a merge is said twice the first rank counts, as in llama.cpp
    }
}

// The slot that holds the key, or the empty one where it belongs.
size_t MergeTable::slot_of(uint64_t key) const {
    const size_t mask = slots_.size() - 1;
    size_t at = home(key);
    while (slots_[at].key != key && slots_[at].key != no_key) at = (at + 1) & mask;
    return at;
}

const Merge* MergeTable::find(int32_t left, int32_t right) const {
    const Slot& slot = slots_[slot_of(key(left, right))];
    return slot.key == no_key ? nullptr : &slot.merge;
}

void PairMerger::merge(const std::vector<int32_t>& bytes, std::vector<int32_t>& out) {
    const auto n = static_cast<int32_t>(bytes.size());
    symbols_.resize(bytes.size());
    for (int32_t i = 0; i < n; ++i) symbols_[static_cast<size_t>(i)] = {bytes[static_cast<size_t>(i)], i - 1, i + 1 < n ? i + 1 : -1};
    heap_.clear();
    for (int32_t i = 0; i + 1 < n; ++i) offer(i);
    while (!heap_.empty()) {
        std::pop_heap(heap_.begin(), heap_.end(), std::greater<>());
        const uint64_t best = heap_.back();
        heap_.pop_back();
        join(static_cast<int32_t>(best & 0xFFFFFFFF), static_cast<uint32_t>(best >> 32));
    }
    for (const Symbol& s : symbols_)
        if (s.token >= 0) out.push_back(s.token);
}

const Merge* PairMerger::merge_at(int32_t left_at) const {
    const Symbol& left = symbols_[static_cast<size_t>(left_at)];
    if (left.token < 0 || left.next < 0) return nullptr;
    return table_.find(left.token, symbols_[static_cast<size_t>(left.next)].token);
}

void PairMerger::offer(int32_t left_at) {
    const Merge* merge = merge_at(left_at);
    if (!merge) return;
    heap_.push_back(static_cast<uint64_t>(merge->rank) << 32 | static_cast<uint32_t>(left_at));
    std::push_heap(heap_.begin(), heap_.end(), std::greater<>());
}

void PairMerger::join(int32_t left_at, uint32_t rank) {
    const Merge* merge = merge_at(left_at);
    if (!merge || merge->rank != rank) return;  // a neighbour went another way since this was offered
    Symbol& left = symbols_[static_cast<size_t>(left_at)];
    Symbol& right = symbols_[static_cast<size_t>(left.next)];
    left.token = merge->merged;
    left.next = right.next;
    right.token = -1;
    if (left.next >= 0) {
        symbols_[static_cast<size_t>(left.next)].previous = left_at;
        offer(left_at);
    }
    if (left.previous >= 0) offer(left.previous);
}

}  // namespace kylin
