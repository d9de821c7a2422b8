// The table of an instruction set, of lanes with what its recipes need: Matmul, Wide for the longest rows and attention, Rows for the rest.
#pragma once
#include "kernels/recipes/attention.h"
#include "kernels/recipes/matmul.h"
#include "kernels/recipes/peak.h"
#include "kernels/recipes/quantize.h"
#include "kernels/recipes/rows.h"

namespace kylin {

template <class Matmul, class Rows, class Wide = Rows>
constexpr Kernels table_of(std::string_view name) {
    return {
        .name = name,
        .quantize_q8_0 = quantize_q8_0<Rows>,
        .quantize_q8_k = quantize_q8_k<Rows>,
        .matmul = matmul<Matmul>,
        .rms_norm = rms_norm<Rows>,
        .rope = rope<Rows>,
        .silu_mul = silu_mul<Wide>,
        .add = add<Rows>,
        .find_peaks = find_peaks<Rows>,
        .store_kv = store_kv<Rows, quantize_q8_0<Rows>>,
        .attend = attend<Wide>,
        .multiply_floats = multiply_floats<Wide>,
    };
}

}  // namespace kylin
