// The walk of a matmul over its tiles: P vectors of outputs times C rows. A recipe computes one tile; nothing here rounds,
// so the bits of an output do not depend on how the walk is cut.
#pragma once
#include "kernels/recipes/panel.h"

namespace kylin {

template <class V>
inline constexpr size_t vectors_of_panel = panel_outputs / V::lanes;

// What it takes to get the bytes that are multiplied from those of a panel: to copy them; to split them; to put them together, or look
// them up.
enum class Unpacking : uint8_t { copy, split, assemble };

// How many of a recipe's instructions load inputs, where many rows share unpacked bytes. The more, the sooner a tile of two panels pays,
// which loads an input once for both.
enum class InputLoads : uint8_t { few, many, most };

// A block of a panel, and which of its outputs comes first in a vector: field + o, for bytes of quants field + 4 * o.
template <class Block>
struct Weights {
    const Block* at;
    size_t o;
    const uint8_t* unpacked;  // the block's bytes for these outputs, where they were unpacked before; else null
    const Block* operator->() const { return at; }
};

// A format whose bytes lie in memory ready to be multiplied: a group is 64 bytes, and the groups of a block lie in the order in which
// `weights` of Format gives them. Only the bytes are unpacked: scales are read from the panel. Behind the bytes of a signed format lie
// the sums of the magnitudes of its negative weights, an int32 for each output.
template <class V, class Format>
struct Unpacked : Format {
    using Block = typename Format::Block;
    using Bytes = typename V::Bytes;
    static constexpr size_t group_bytes = 4 * panel_outputs, pair_bytes = 2 * group_bytes;
    static constexpr size_t bytes_of_groups = pair_bytes * Format::sub_blocks * Format::pairs;
    static constexpr bool has_negatives = requires { requires Format::is_signed; };
    static constexpr size_t block_bytes = bytes_of_groups + (has_negatives ? panel_outputs * sizeof(int32_t) : 0);

    static void weights(Weights<Block> w, int s, int i, Bytes& first, Bytes& second) {
        const uint8_t* pair = w.unpacked + static_cast<size_t>(s * Format::pairs + i) * pair_bytes;
        first = V::load_bytes(pair);
        second = V::load_bytes(pair + group_bytes);
    }
    static typename V::Ints negatives(Weights<Block> w) { return V::load_ints(w.unpacked + bytes_of_groups); }

    static void unpack(const Block& block, uint8_t* to) {
        for (size_t o = 0; o < panel_outputs; o += V::lanes) {
            uint8_t* at = to + 4 * o;
            typename V::Sums sums = V::zero_sums();
            for (int s = 0; s < Format::sub_blocks; ++s)
                for (int i = 0; i < Format::pairs; ++i, at += pair_bytes) {
                    Bytes first, second;
                    Format::weights(Weights<Block>{&block, o, nullptr}, s, i, first, second);
                    V::store_bytes(at, first);
                    V::store_bytes(at + group_bytes, second);
                    if constexpr (has_negatives) sums = V::add_negatives(V::add_negatives(sums, first), second);
                }
            if constexpr (has_negatives) V::store_ints(at, V::add_sums(V::zero_ints(), sums));
        }
    }
};

// Of two panels at once.
template <class V, class Format>
struct UnpackedPair : Unpacked<V, Format> {};

// Vectors of outputs and rows of the largest tile of bytes.
template <class V, class Format>
struct TileShape {
    static constexpr size_t vectors = V::byte_vectors, rows = V::byte_rows;
};
template <class V, class Format>
struct TileShape<V, UnpackedPair<V, Format>> {
    static constexpr size_t vectors = 2 * vectors_of_panel<V>, rows = V::pair_rows;
};

// What a tile fetches while it multiplies: so many bytes with each step, which is 32 inputs, or a cache line of floats. `back` bytes
// before them, where that is not 0, lie those that it needs soon: they are brought from the second-level cache into the first.
struct Ahead {
    const std::byte* at;
    size_t step_bytes;
    size_t back = 0;
};

// Tile `nth` of n_tiles fetches its share of the n bytes at `at`.
inline Ahead share_of(const std::byte* at, size_t n, int nth, int n_tiles, int n_steps) {
    const size_t tiles = static_cast<size_t>(n_tiles), steps = static_cast<size_t>(n_steps), share = (n + tiles - 1) / tiles;
    return {at + static_cast<size_t>(nth) * share, (share + steps - 1) / steps};
}

struct TileInput {
    const std::byte* panel;
    size_t panel_bytes;
    size_t first_output;      // in the panel
    const uint8_t* unpacked;  // of the panel, or null
    size_t unpacked_bytes;    // from there to those of the next panel
    Ahead ahead;
    const std::byte* x;  // the first of C rows
    size_t x_stride;
    int width;
    const Outlier* outliers = nullptr;  // of the panel, if it is one of short floats

    // Block b of the outputs in vector p.
    template <class V, class Format>
    Weights<typename Format::Block> weights(size_t p, int b) const {
        const size_t output = first_output + p * V::lanes, o = output % panel_outputs;
        const auto* block = reinterpret_cast<const typename Format::Block*>(panel + output / panel_outputs * panel_bytes) + b;
        if constexpr (requires { Format::block_bytes; })
            return {block, o, unpacked + output / panel_outputs * unpacked_bytes + static_cast<size_t>(b) * Format::block_bytes + 4 * o};
        return {block, o, nullptr};
    }

    // V::locality as __builtin_prefetch counts it: 3 is the first-level cache, 2 the second. Always inline: g++ 12 takes a function that
    // only fetches for one without effect, and drops its calls.
    template <class V>
    [[gnu::always_inline]] void fetch_ahead(int step) const {
        constexpr size_t cache_line = 64;
        const std::byte* from = ahead.at + static_cast<size_t>(step) * ahead.step_bytes;
        if constexpr (requires { V::bytes_near; })
            if (ahead.back > 0) {
                for (size_t i = 0; i < ahead.step_bytes; i += cache_line) {
                    __builtin_prefetch(from + i, 0, V::locality);
                    __builtin_prefetch(from + i - ahead.back, 0);
                }
                return;
            }
        for (size_t i = 0; i < ahead.step_bytes; i += cache_line) __builtin_prefetch(from + i, 0, V::locality);
    }
};

struct TileOutput {
    float* y;
    size_t stride;
    int n_outputs;   // from here to the end of the task; fewer than a tile has only where the matrix ends
    bool continues;  // y holds the totals of the inputs before these
};

// An instruction that multiplies two rows at once leaves their sums in each other's places until `untangle`.
template <class V>
concept MultipliesTwoRows = requires {
    &V::untangle;
};

// Addresses in registers, one for each of C rows, where V asks for it.
template <class V, class T, size_t C>
[[gnu::always_inline]] inline void hold_addresses(const T* (&rows)[C]) {
    if constexpr (requires { V::hold_address(rows[0]); })
        for (size_t c = 0; c < C; ++c) V::hold_address(rows[c]);
}

// The same of blocks, or units, for all of their steps.
template <class V, class Row, size_t C>
[[gnu::always_inline]] inline void hold_rows(const Row* (&rows)[C]) {
    if constexpr (requires { V::hold_block(rows[0]); })
        for (const Row*& row : rows) V::hold_block(row);
}
template <class V, class Block, size_t P, class Row, size_t C>
[[gnu::always_inline]] inline void hold_blocks(Weights<Block> (&weights)[P], const Row* (&rows)[C]) {
    if constexpr (requires { V::hold_block(rows[0]); })
        for (Weights<Block>& w : weights) {
            V::hold_block(w.at);
            V::hold_block(w.unpacked);
        }
    hold_rows<V>(rows);
}

// The bytes of C rows from input `first` on.
template <size_t C>
struct RowBytes {
    template <class Row>
    [[gnu::always_inline]] RowBytes(const Row* const (&x)[C], int first) {
        for (size_t c = 0; c < C; ++c) at[c] = x[c]->qs + first;
    }
    explicit RowBytes(const int8_t* const* rows) {
        for (size_t c = 0; c < C; ++c) at[c] = rows[c];
    }
    template <size_t n>
    RowBytes<n> rows(size_t first) const {
        return RowBytes<n>(at + first);
    }
    const int8_t* at[C];
};

// Adds the products of two groups of weights with `first` and `second`, four inputs each, of every row. Always inline: as a function of its
// own, as g++ 12 would have it for AVX2, it keeps the sums in memory (Q4_K on a Zen 3 core: 38 instead of 110 GMAC/s).
template <class V, size_t P, size_t C>
[[gnu::always_inline]] inline void dot_groups(typename V::Sums (&dot)[P][C], const typename V::Bytes (&low)[P],
                                              const typename V::Bytes (&high)[P], const RowBytes<C>& x, int first, int second) {
    constexpr size_t n_alone = MultipliesTwoRows<V> ? C % 2 : C;
    if constexpr (C > n_alone) {
        for (size_t p = 0; p < P; ++p) {
            const typename V::TwoGroups weights = V::two_groups(low[p], high[p]);
            for (size_t c = 0; c + 1 < C; c += 2)
                V::dot_two_rows(dot[p][c], dot[p][c + 1], weights, V::two_rows(x.at[c], x.at[c + 1], first, second));
        }
    }
    for (size_t c = C - n_alone; c < C; ++c) V::dot_u8(dot, c, low, x.at[c] + first);
    for (size_t c = C - n_alone; c < C; ++c) V::dot_u8(dot, c, high, x.at[c] + second);
}

// The sums of one row each, when all groups have been added.
template <class V, size_t P, size_t C>
[[gnu::always_inline]] inline void untangle(typename V::Sums (&dot)[P][C]) {
    if constexpr (MultipliesTwoRows<V>)
        for (size_t p = 0; p < P; ++p)
            for (size_t c = 0; c + 1 < C; c += 2) V::untangle(dot[p][c], dot[p][c + 1]);
}

// Outputs of several rows are far apart and may be in no cache: their lines are asked for first, since stores that wait for them hold up
// those to the stack. Unrolled, since g++ 12 else stores the totals with each block, where they wait for the stores of the tile before (256
// rows on a Xeon core, GMAC/s: Q6_K 198 and 214, Q8_0 202 and 210).
template <class V, class Recipe, size_t P, size_t C>
void run_tile(const TileInput& in, const TileOutput& out) {
    typename V::Floats total[P][C];
    const auto at = [&](size_t p, size_t c) { return out.y + c * out.stride + p * V::lanes; };
    const auto n_left = [&](size_t p) { return out.n_outputs - static_cast<int>(p) * V::lanes; };
#pragma GCC unroll 4
    for (size_t p = 0; p < P; ++p)
#pragma GCC unroll 16
        for (size_t c = 0; c < C; ++c)
            total[p][c] = !out.continues ? V::zero() : n_left(p) >= V::lanes ? V::load_f32(at(p, c)) : V::load_f32(at(p, c), n_left(p));
#pragma GCC unroll 4
    for (size_t p = 0; p < P; ++p)
#pragma GCC unroll 16
        for (size_t c = 0; c < C; ++c) __builtin_prefetch(at(p, c), 1);
    Recipe::template compute<P, C>(in, total);
#pragma GCC unroll 4
    for (size_t p = 0; p < P; ++p)
#pragma GCC unroll 16
        for (size_t c = 0; c < C; ++c) n_left(p) >= V::lanes ? V::store(at(p, c), total[p][c]) : V::store(at(p, c), total[p][c], n_left(p));
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

// What is fetched while tile `nth` of those that share a panel multiplies it. A single one fetches what it will read itself, a distance
// ahead. Of several only the first waits for memory, so each fetches its share of the next panel: as much in all of their time.
template <class V, class Recipe>
Ahead ahead_of(const PackedMatrix& w, int panel, int n_rows, int nth, int n_tiles) {
    const size_t distance = V::bytes_ahead(static_cast<size_t>(n_rows));
    const int n_steps = (w.width() + Recipe::inputs_of_step - 1) / Recipe::inputs_of_step;
    if (distance == 0) return {w.panel(panel), 0};
    if (n_tiles == 1) {
        Ahead ahead = share_of(w.panel(panel) + distance, w.panel_bytes(), 0, 1, n_steps);
        if constexpr (requires { V::bytes_near; }) ahead.back = distance - V::bytes_near;
        return ahead;
    }
    return share_of(w.panel(panel) + w.panel_bytes(), w.panel_bytes(), nth, n_tiles, n_steps);
}

template <class V, class Recipe, size_t P>
void walk_rows(const MatmulTask& task, const RowTiles& tiles, int output, int first_tile, int last_tile) {
    const PackedMatrix& w = *task.weights;
    const int panel = output / panel_outputs, n_outputs = task.first_output + task.n_outputs - output;
    for (int t = first_tile; t < last_tile; ++t) {
        const int first = tiles.first_row(t), n_rows = tiles.first_row(t + 1) - first;
        const size_t r = static_cast<size_t>(first), o = static_cast<size_t>(output % panel_outputs);
        const RunTile run = tile_of<V, Recipe, P>(n_rows);
        // What to fetch is made in its place: a copy reads in one piece what two stores wrote, and waits for all stores before them.
        run({w.panel(panel), w.panel_bytes(), o, nullptr, 0, ahead_of<V, Recipe>(w, panel, n_rows, t - first_tile, last_tile - first_tile),
             task.x + r * task.x_stride, task.x_stride, w.width(), w.outliers(panel)},
            {task.y + r * task.y_stride + output, task.y_stride, n_outputs, false});
    }
}

// Tiles of a block whose activations stay in L2.
template <class Recipe>
int tiles_of_block(const MatmulTask& task) {
    return static_cast<int>(row_block_bytes / (Recipe::rows * task.x_stride)) + 1;
}

// One row reads weights at the pace of memory: a whole panel after the other, where tiles of several rows are narrower.
template <class V, class Recipe>
void walk_tiles(const MatmulTask& task) {
    constexpr int rows = static_cast<int>(Recipe::rows), narrow = static_cast<int>(Recipe::vectors) * V::lanes;
    static_assert(narrow <= panel_outputs);
    const RowTiles tiles{task.n_rows, (task.n_rows + rows - 1) / rows};
    const int block = tiles_of_block<Recipe>(task);
    const int end = task.first_output + task.n_outputs;
    for (int t = 0; t < tiles.n_tiles; t += block) {
        const int last = t + block < tiles.n_tiles ? t + block : tiles.n_tiles;
        int output = task.first_output;
        for (; task.n_rows > 1 && output < end; output += narrow) walk_rows<V, Recipe, Recipe::vectors>(task, tiles, output, t, last);
        for (; output < end; output += panel_outputs) walk_rows<V, Recipe, vectors_of_panel<V>>(task, tiles, output, t, last);
    }
}

// Inputs of a panel, or of a tile's panels, in a form that many rows share.
struct Step {
    const std::byte* panel;
    const uint8_t* unpacked = nullptr;
    size_t unpacked_bytes = 0;  // of a panel
};

// Many rows: the weights of `step` inputs at a time are unpacked once for all tiles of a block of rows, by unpack(panel, first input, n).
// The tiles of all steps fetch the panels that are needed next.
template <class V, class Recipe, class Unpack>
void walk_steps(const MatmulTask& task, int step, Unpack&& unpack) {
    constexpr int rows = static_cast<int>(Recipe::rows), columns = static_cast<int>(Recipe::vectors) * V::lanes;
    static_assert(columns % panel_outputs == 0);
    const PackedMatrix& w = *task.weights;
    const RowTiles tiles{task.n_rows, (task.n_rows + rows - 1) / rows};
    const int block = tiles_of_block<Recipe>(task), end = task.first_output + task.n_outputs, width = w.width();
    const int n_steps = (width + step - 1) / step;
    const size_t n_bytes = w.panel_bytes() * (columns / panel_outputs);

    const auto multiply = [&](int output, int nth, int first_tile, int last_tile) {
        const int panel = output / panel_outputs, input = nth * step, n = width - input < step ? width - input : step;
        const int n_tiles = last_tile - first_tile;
        const Step s = unpack(panel, input, n);
        for (int t = 0; t < n_tiles; ++t) {
            const int first = tiles.first_row(first_tile + t);
            const size_t r = static_cast<size_t>(first);
            const std::byte* x = task.x + r * task.x_stride + static_cast<size_t>(input / Recipe::inputs) * sizeof(typename Recipe::Row);
            const RunTile run = tile_of<V, Recipe, Recipe::vectors>(tiles.first_row(first_tile + t + 1) - first);
            run({s.panel, w.panel_bytes(), 0, s.unpacked, s.unpacked_bytes,
                 share_of(w.panel(panel) + n_bytes, n_bytes, nth * n_tiles + t, n_steps * n_tiles, n / Recipe::inputs_of_step), x,
                 task.x_stride, n},
                {task.y + r * task.y_stride + output, task.y_stride, end - output, input > 0});
        }
    };
    for (int t = 0; t < tiles.n_tiles; t += block)
        for (int output = task.first_output; output < end; output += columns)
            for (int i = 0; i < n_steps; ++i) multiply(output, i, t, t + block < tiles.n_tiles ? t + block : tiles.n_tiles);
}

// Inputs of a panel that are unpacked at a time: with the activations of a tile they fit the first-level cache.
inline constexpr int unpacked_inputs = 1024;

// Recipe's Format is an Unpacked one.
template <class V, class Recipe>
void walk_unpacked(const MatmulTask& task) {
    using Format = typename Recipe::WeightFormat;
    using Block = typename Format::Block;
    constexpr size_t panels = Recipe::vectors / vectors_of_panel<V>, panel_bytes = unpacked_inputs / Recipe::inputs * Format::block_bytes;
    alignas(panel_alignment) uint8_t bytes[panels * panel_bytes];
    walk_steps<V, Recipe>(task, unpacked_inputs, [&](int panel, int input, int n) -> Step {
        const std::byte* first = task.weights->panel(panel) + static_cast<size_t>(input / Recipe::inputs) * sizeof(Block);
        for (size_t p = 0; p < panels; ++p) {
            const auto* blocks = reinterpret_cast<const Block*>(first + p * task.weights->panel_bytes());
            for (size_t b = 0; b < static_cast<size_t>(n / Recipe::inputs); ++b)
                Format::unpack(blocks[b], bytes + p * panel_bytes + b * Format::block_bytes);
        }
        return {first, bytes, panel_bytes};
    });
}

// Two panels at a time; the last one of an odd number alone.
template <class V, template <class, class> class Recipe, class Format>
void walk_pairs(MatmulTask task) {
    const int n = task.n_outputs, n_paired = n / (2 * panel_outputs) * (2 * panel_outputs);
    task.n_outputs = n_paired;
    walk_unpacked<V, Recipe<V, UnpackedPair<V, Format>>>(task);
    task.first_output += n_paired;
    task.n_outputs = n - n_paired;
    if (task.n_outputs > 0) walk_unpacked<V, Recipe<V, Unpacked<V, Format>>>(task);
}

// Where V asks for it, several tiles of rows are multiplied with bytes that were unpacked once. One Zen 3 core, GMAC/s before and after:
// 256 rows Q6_K 66 and 85, Q5_K 84 and 109, Q4_K 109 and 115; 8 rows with weights from memory Q6_K 66 and 73, Q5_K 82 and 90, and fewer
// would lose some in Q5_0; 16 rows of Q4_K and Q2_K would lose 2 %. Q8_0 is copied for the sums beside it: 32 rows 60 and 64, 256 rows 60
// and 67; fewer gain nothing.
template <class V, template <class, class> class Recipe, class Format>
void walk(const MatmulTask& task) {
    if constexpr (requires { V::rows_to_pair_panels(InputLoads::most); }) {
        if constexpr (Recipe<V, Format>::input_loads != InputLoads::few)
            if (task.n_rows >= V::rows_to_pair_panels(Recipe<V, Format>::input_loads)) return walk_pairs<V, Recipe, Format>(task);
    }
    if constexpr (requires { V::rows_to_unpack(Format::unpacking); })
        if (task.n_rows >= V::rows_to_unpack(Format::unpacking)) return walk_unpacked<V, Recipe<V, Unpacked<V, Format>>>(task);
    walk_tiles<V, Recipe<V, Format>>(task);
}

}  // namespace kylin
