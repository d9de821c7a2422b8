// The matmul of an instruction set: which recipe computes which packed type.
#pragma once
#include "kernels/recipes/tile_32.h"
#include "kernels/recipes/tile_float.h"
#include "kernels/recipes/tile_k.h"
#include "kernels/recipes/tile_short.h"

namespace kylin {

template <class V>
void matmul(const MatmulTask& task) {
    if (task.weights->packing() == Packing::short_floats) return walk_short_floats<V>(task);
    switch (task.weights->type()) {
        case BlockType::q2_k:
            return walk<V, ShortSubBlocks, FormatQ2K<V>>(task);
        case BlockType::q4_k:
            return walk<V, SuperBlocks, FormatQ4K<V>>(task);
        case BlockType::q5_k:
            return walk<V, SuperBlocks, FormatQ5K<V>>(task);
        case BlockType::q6_k:
            return walk<V, ShortSubBlocks, FormatQ6K<V>>(task);
        case BlockType::q8_0:
            return walk_eight_bits<V, EightBits>(task);
        case BlockType::q4_0:
            return walk<V, UnsignedBlocks, FourBits<V, PanelQ4_0>>(task);
        case BlockType::q4_1:
            return walk<V, UnsignedBlocks, FourBits<V, PanelQ4_1>>(task);
        case BlockType::q5_0:
            return walk<V, UnsignedBlocks, FiveBits<V, PanelQ5_0>>(task);
        case BlockType::q5_1:
            return walk<V, UnsignedBlocks, FiveBits<V, PanelQ5_1>>(task);
        case BlockType::iq4_nl:
            return walk_eight_bits<V, FromTable>(task);
        case BlockType::f16:
            return walk_floats<V, FormatF16<V>>(task);
        case BlockType::bf16:
            return walk_floats<V, FormatBF16<V>>(task);
        default:
            return walk_floats<V, FormatF32<V>>(task);
    }
}

}  // namespace kylin
