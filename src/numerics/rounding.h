// What an engine rounds on purpose, beside the rounding of its sums: the inputs of a projection, and the KV cache.
// The oracle can do the same roundings exactly, so that what is left between it and the engine is the order and width of sums.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "gguf/block_types.h"
#include "kernels/kernels.h"

namespace kylin {

struct Rounding {
    enum class Inputs : uint8_t { none, kylin, llama_cpp };
    Inputs inputs = Inputs::none;
    KvType kv = KvType::f32;
    // Queries are rounded to the type of an F16 or Q8_0 cache before their products, and to F16 probabilities too (llama.cpp).
    bool cache_queries = false;
    bool half_sums = false;  // values are summed in F16 (llama.cpp's flash attention)
    bool stored = false;     // values are computed wider than F32, and rounded to F32 where they are written down
    int lanes = 1;           // sums over a row are kept in at least this many lanes, added at the end
};

// The form that a row of inputs takes before it meets a matrix.
enum class RowForm : uint8_t { exact, f16, bf16, q8_0, q8_1, q8_k };
RowForm row_form(Rounding::Inputs inputs, BlockType weights);
// The form that the keys or values of a position take in the cache, all heads in a row.
RowForm row_form(KvType kv);

// A value so near the middle of two quants that engines may choose either; `step` is the distance of the two.
struct Undecided {
    int index;
    double step;
};

// Throws InputError when a cache of the type cannot hold heads of this width.
void require_kv_type(KvType type, int head_dim);

// Puts the rounded values in place of the row, and appends the undecided ones. The row is first rounded to F32.
void round_row(RowForm form, std::span<double> row, std::vector<Undecided>* undecided = nullptr);

}  // namespace kylin
