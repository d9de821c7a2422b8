// Byte-pair merging: the pairs of tokens that become one, by rank, and the merging of a piece of text in O(n log n).
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "gguf/file.h"
#include "text/hash.h"
#include "text/vocabulary.h"

namespace kylin {

struct Merge {
    uint32_t rank;   // the lowest goes first
    int32_t merged;  // the token that the pair becomes
};

class MergeTable {
public:
    // Reads tokenizer.ggml.merges. Throws InputError.
    MergeTable(const gguf::File& file, const Vocabulary& vocabulary);

    // nullptr when the pair stays apart.
    const Merge* find(int32_t left, int32_t right) const;

private:
    static constexpr uint64_t no_key = ~uint64_t{0};
    struct Slot {
        uint64_t key = no_key;
        Merge merge{0, -1};
    };
    static uint64_t key(int32_t left, int32_t right) { return static_cast<uint64_t>(left) << 32 | static_cast<uint32_t>(right); }
    void fill(const std::vector<Slot>& entries);
    size_t home(uint64_t key) const { return hash_(key) & (slots_.size() - 1); }
    size_t slot_of(uint64_t key) const;

    SeededHash hash_;
    std::vector<Slot> slots_;
};

// Merges one piece after the other, keeping its buffers between pieces. Views the table, which must outlive it.
class PairMerger {
public:
    explicit PairMerger(const MergeTable& table) : table_(table) {}

    // Appends the tokens of the piece that starts as `bytes`, one token per byte.
    void merge(const std::vector<int32_t>& bytes, std::vector<int32_t>& out);

private:
    // A doubly linked list in an array; a merged-away symbol has the token -1.
    struct Symbol {
        int32_t token, previous, next;
    };
    // The merge of the symbol at `left_at` with the next one, or nullptr.
    const Merge* merge_at(int32_t left_at) const;
    void offer(int32_t left_at);
    void join(int32_t left_at, uint32_t rank);

    const MergeTable& table_;
    std::vector<Symbol> symbols_;
    std::vector<uint64_t> heap_;  // rank << 32 | place: the lowest rank first, then the leftmost
};

}  // namespace kylin
