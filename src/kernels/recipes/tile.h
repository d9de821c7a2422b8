// The walk of a matmul over its tiles: P vectors of outputs times C rows. A recipe computes one tile; nothing here rounds,
// so the bits of an output do not depend on how the walk is cut.
#pragma once
#include "kernels/recipes/panel.h"

namespace kylin {

// A block of a panel, and which of its outputs comes first in a vector: field + o, for bytes of quants field + 4 * o.
template <class Block>
struct Weights {
    const Block* at;
    size_t o;
    const Block* operator->() const { return at; }
};

struct TileInput {
    const std::byte* panel;
    size_t panel_bytes;
    size_t first_output;  // in the panel
    const std::byte* x;   // the first of C rows
    size_t x_stride;
    int width;

    // Block b of the outputs in vector p.
    template <class V, class Block>
    Weights<Block> weights(size_t p, int b) const {
        const size_t output = first_output + p * V::lanes;
        return {reinterpret_cast<const Block*>(panel + output / panel_outputs * panel_bytes) + b, output % panel_outputs};
    }
};

struct TileOutput {
    float* y;
    size_t stride;
    int n_outputs;  // from here to the end of the task; fewer than a tile has only where the matrix ends
};

// Part `part` of `n_parts` of what lies some blocks ahead. Where a block is multiplied with more than 4 rows, the processor no longer
// fetches weights from memory by itself (Zen 4, 8 rows of Q4_K: 99 GMAC/s, with this 160), and all of a super-block at once would be
// too many requests. Fewer rows lose by it.
template <size_t C, class Block>
void fetch_ahead(const Block* block, int part = 0, int n_parts = 1) {
    constexpr size_t cache_line = 64, distance = 4736;  // two super-blocks of Q4_K
    if constexpr (C > 4) {
        const size_t n = sizeof(Block) / static_cast<size_t>(n_parts);
        const std::byte* ahead = reinterpret_cast<const std::byte*>(block) + distance + static_cast<size_t>(part) * n;
        for (size_t i = 0; i < n; i += cache_line) __builtin_prefetch(ahead + i);
    }
}

template <class V, size_t P, size_t C>
void clear(typename V::Floats (&total)[P][C]) {
    for (size_t p = 0; p < P; ++p)
        for (size_t c = 0; c < C; ++c) total[p][c] = V::zero();
}

// An instruction that multiplies two rows at once leaves their sums in each other's places until `untangle`.
template <class V>
concept MultipliesTwoRows = requires {
    &V::untangle;
};

// Adds the products of two groups of weights with `first` and `second`, four inputs each, of every row. Always inline: as a function of its
// own, as g++ 12 would have it for AVX2, it keeps the sums in memory (Q4_K on a Zen 3 core: 38 instead of 110 GMAC/s).
template <class V, size_t P, size_t C, class Row>
[[gnu::always_inline]] inline void dot_groups(typename V::Sums (&dot)[P][C], const typename V::Bytes (&low)[P], const typename V::Bytes (&high)[P],
                const Row* const (&x)[C], int first, int second) {
    constexpr size_t n_alone = MultipliesTwoRows<V> ? C % 2 : C;
    if constexpr (C > n_alone) {
        for (size_t p = 0; p < P; ++p) {
            const typename V::TwoGroups weights = V::two_groups(low[p], high[p]);
            for (size_t c = 0; c + 1 < C; c += 2)
                V::dot_two_rows(dot[p][c], dot[p][c + 1], weights, V::two_rows(x[c]->qs, x[c + 1]->qs, first, second));
        }
    }
    for (size_t c = C - n_alone; c < C; ++c) V::dot_u8(dot, c, low, x[c]->qs + first);
    for (size_t c = C - n_alone; c < C; ++c) V::dot_u8(dot, c, high, x[c]->qs + second);
}

// The sums of one row each, when all groups have been added.
template <class V, size_t P, size_t C>
[[gnu::always_inline]] inline void untangle(typename V::Sums (&dot)[P][C]) {
    if constexpr (MultipliesTwoRows<V>)
        for (size_t p = 0; p < P; ++p)
            for (size_t c = 0; c + 1 < C; c += 2) V::untangle(dot[p][c], dot[p][c + 1]);
}

template <class V, class Recipe, size_t P, size_t C>
void run_tile(const TileInput& in, const TileOutput& out) {
    typename V::Floats total[P][C];
    Recipe::template compute<P, C>(in, total);
    for (size_t p = 0; p < P; ++p)
        for (size_t c = 0; c < C; ++c) {
            float* y = out.y + c * out.stride + p * V::lanes;
            const int n = out.n_outputs - static_cast<int>(p) * V::lanes;
            n >= V::lanes ? V::store(y, total[p][c]) : V::store(y, total[p][c], n);
        }
}

using RunTile = void (*)(const TileInput&, const TileOutput&);

// The tile of P vectors and `rows` rows, at most Recipe::rows.
template <class V, class Recipe, size_t P, size_t C = Recipe::rows>
RunTile tile_of(int rows) {
    if constexpr (C > 1)
        if (rows < static_cast<int>(C)) return tile_of<V, Recipe, P, C - 1>(rows);
    return run_tile<V, Recipe, P, C>;
}

// Rows of a block small enough that its activations stay in L2 while the panels stream past.
inline constexpr size_t row_block_bytes = 256 * 1024;

// Equal tiles: 9 rows are 5 + 4, not 8 + 1.
struct RowTiles {
    int n_rows, n_tiles;
    int first_row(int tile) const { return static_cast<int>(static_cast<int64_t>(tile) * n_rows / n_tiles); }
};

template <class V, class Recipe, size_t P>
void walk_rows(const MatmulTask& task, const RowTiles& tiles, int output, int first_tile, int last_tile) {
    const PackedMatrix& w = *task.weights;
    const int panel = output / panel_outputs, n_outputs = task.first_output + task.n_outputs - output;
    for (int t = first_tile; t < last_tile; ++t) {
        const int first = tiles.first_row(t);
        const size_t r = static_cast<size_t>(first), o = static_cast<size_t>(output % panel_outputs);
        const RunTile run = tile_of<V, Recipe, P>(tiles.first_row(t + 1) - first);
        run({w.panel(panel), w.panel_bytes(), o, task.x + r * task.x_stride, task.x_stride, w.width()},
            {task.y + r * task.y_stride + output, task.y_stride, n_outputs});
    }
}

// One row reads weights at the pace of memory: a single stream, one whole panel after the other. So do few rows where a tile is wider.
template <class V, class Recipe>
void walk_tiles(const MatmulTask& task) {
    constexpr int rows = static_cast<int>(Recipe::rows), wide = static_cast<int>(Recipe::vectors) * V::lanes;
    const RowTiles tiles{task.n_rows, (task.n_rows + rows - 1) / rows};
    const int block = static_cast<int>(row_block_bytes / (Recipe::rows * task.x_stride)) + 1;
    const int end = task.first_output + task.n_outputs;
    const bool many_rows = task.n_rows > (wide > panel_outputs ? rows : 1);
    constexpr int beyond_panel = wide > panel_outputs ? wide - panel_outputs : 0;
    for (int t = 0; t < tiles.n_tiles; t += block) {
        const int last = t + block < tiles.n_tiles ? t + block : tiles.n_tiles;
        int output = task.first_output;
        for (; many_rows && end - output > beyond_panel; output += wide)
            walk_rows<V, Recipe, Recipe::vectors>(task, tiles, output, t, last);
        for (; output < end; output += panel_outputs) walk_rows<V, Recipe, panel_outputs / V::lanes>(task, tiles, output, t, last);
    }
}

}  // namespace kylin
