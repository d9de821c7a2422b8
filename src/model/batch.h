// The rows of one step: tokens of one or more sequences, each with its place in the KV cache.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace kylin {

inline constexpr int page_positions = 64;  // positions of one KV page; also the block of keys that attention visits at once

// Consecutive rows of one sequence, at consecutive positions.
// pages[p] is the KV page of positions 64 p .. 64 p + 63; it covers at least first_position + n_rows positions.
struct Chunk {
    int first_row = 0, n_rows = 0;
    int first_position = 0;
    std::span<const int32_t> pages;
};

struct Batch {
    std::vector<int32_t> tokens;   // one per row
    std::vector<Chunk> chunks;     // cover all rows in order
    std::vector<int32_t> outputs;  // rows whose logits are asked for, ascending
    int rows() const { return static_cast<int>(tokens.size()); }
};

}  // namespace kylin
