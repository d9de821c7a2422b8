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

inline constexpr int max_tile_rows = 8;

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

// The tiles of P panels with 1 .. 8 rows; entry 0 is unused.
template <class V, class Recipe, size_t P>
struct TileTable {
    using Run = void (*)(const TileInput&, const TileOutput&);
    static constexpr Run run[max_tile_rows + 1] = {
        nullptr,
        run_tile<V, Recipe, P, 1>,
        run_tile<V, Recipe, P, 2>,
        run_tile<V, Recipe, P, 3>,
        run_tile<V, Recipe, P, 4>,
        run_tile<V, Recipe, P, 5>,
        run_tile<V, Recipe, P, 6>,
        run_tile<V, Recipe, P, 7>,
        run_tile<V, Recipe, P, 8>,
    };
};

// Rows of a block small enough that its activations stay in L2 while the panels stream past.
inline constexpr size_t row_block_bytes = 256 * 1024;

template <class V, class Recipe>
void walk_tiles(const MatmulTask& task, int row_limit) {
    const PackedMatrix& w = *task.weights;
    const int last_output = task.first_output + task.n_outputs;
    // Equal tiles: 9 rows are 5 + 4, not 8 + 1.
    const int n_tiles = (task.n_rows + row_limit - 1) / row_limit;
    const int tiles_at_once = static_cast<int>(row_block_bytes / (static_cast<size_t>(row_limit) * task.x_stride)) + 1;
    const auto tile_row = [&](int t) { return static_cast<int>(static_cast<int64_t>(t) * task.n_rows / n_tiles); };
    for (int t0 = 0; t0 < n_tiles; t0 += tiles_at_once) {
        const int t1 = t0 + tiles_at_once < n_tiles ? t0 + tiles_at_once : n_tiles;
        for (int o = task.first_output; o < last_output;) {
            const bool wide = last_output - o > (Recipe::panels - 1) * panel_outputs;
            const auto& run = wide ? TileTable<V, Recipe, Recipe::panels>::run : TileTable<V, Recipe, 1>::run;
            for (int t = t0; t < t1; ++t) {
                const int row = tile_row(t);
                const size_t r = static_cast<size_t>(row);
                run[tile_row(t + 1) - row](
                    {w.panel(o / panel_outputs), w.panel_bytes(), task.x + r * task.x_stride, task.x_stride, w.width()},
                    {task.y + r * task.y_stride + o, task.y_stride, last_output - o});
            }
            o += (wide ? Recipe::panels : 1) * panel_outputs;
        }
    }
}

}  // namespace kylin
