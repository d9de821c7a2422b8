// The walk of a matmul over its tiles: P panels (8 outputs each) times C rows. A recipe computes one tile; nothing here rounds,
// so the bits of an output do not depend on how the walk is cut.
#pragma once
#include "kernels/recipes/panel.h"

namespace kylin {

struct TileInput {
    const std::byte* panel;  // the first of P panels
    size_t panel_bytes;
    const std::byte* x;  // the first of C rows
    size_t x_stride;
    int width;
};

struct TileOutput {
    float* y;
    size_t stride;
    int n_outputs;  // of the P panels; less than 8 P only where the matrix ends
};

template <class V, size_t P, size_t C>
void clear(typename V::Floats (&total)[P][C]) {
    for (size_t p = 0; p < P; ++p)
        for (size_t c = 0; c < C; ++c) total[p][c] = V::zero();
}

template <class V, class Recipe, size_t P, size_t C>
void run_tile(const TileInput& in, const TileOutput& out) {
    typename V::Floats total[P][C];
    Recipe::template compute<P, C>(in, total);
    for (size_t p = 0; p < P; ++p)
        for (size_t c = 0; c < C; ++c) {
            float* y = out.y + c * out.stride + p * panel_outputs;
            const int n = out.n_outputs - static_cast<int>(p) * panel_outputs;
            if (n >= panel_outputs) {
                V::store(y, total[p][c]);
            } else {
                float last[panel_outputs];
                V::store(last, total[p][c]);
                for (int o = 0; o < n; ++o) y[o] = last[o];
            }
        }
}

using RunTile = void (*)(const TileInput&, const TileOutput&);

// The tile of P panels and `rows` rows, at most Recipe::rows.
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
    const std::byte* panel = w.panel(output / panel_outputs);
    const int n_outputs = task.first_output + task.n_outputs - output;
    for (int t = first_tile; t < last_tile; ++t) {
        const int first = tiles.first_row(t);
        const size_t r = static_cast<size_t>(first);
        const RunTile run = tile_of<V, Recipe, P>(tiles.first_row(t + 1) - first);
        run({panel, w.panel_bytes(), task.x + r * task.x_stride, task.x_stride, w.width()},
            {task.y + r * task.y_stride + output, task.y_stride, n_outputs});
    }
}

template <class V, class Recipe>
void walk_tiles(const MatmulTask& task) {
    const int rows = static_cast<int>(Recipe::rows), wide = static_cast<int>(Recipe::panels) * panel_outputs;
    const RowTiles tiles{task.n_rows, (task.n_rows + rows - 1) / rows};
    const int block = static_cast<int>(row_block_bytes / (Recipe::rows * task.x_stride)) + 1;
    const int end = task.first_output + task.n_outputs;
    for (int t = 0; t < tiles.n_tiles; t += block) {
        const int last = t + block < tiles.n_tiles ? t + block : tiles.n_tiles;
        int output = task.first_output;
        // One row reads weights at the pace of memory: a single stream, one panel after the other.
        for (; task.n_rows > 1 && end - output > wide - panel_outputs; output += wide)
            walk_rows<V, Recipe, Recipe::panels>(task, tiles, output, t, last);
        for (; output < end; output += panel_outputs) walk_rows<V, Recipe, 1>(task, tiles, output, t, last);
    }
}

}  // namespace kylin
