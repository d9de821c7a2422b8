// The kernels for AVX-512 with VNNI: exact int32 dot products of bytes. Matmul and attention, where the time goes, are in 512-bit vectors;
// the operations on single rows are in 256 bits.
#include "kernels/dispatch.h"
#include "kernels/isa/avx512_lanes.h"
#include "kernels/recipes/attention.h"
#include "kernels/recipes/matmul.h"
#include "kernels/recipes/quantize.h"
#include "kernels/recipes/rows.h"

namespace kylin {

const Kernels avx512_kernels = {
    .name = "avx512",
    .quantize_q8_0 = quantize_q8_0<X86Lanes>,
    .quantize_q8_k = quantize_q8_k<X86Lanes>,
    .matmul = matmul<Avx512>,
    .rms_norm = rms_norm<X86Lanes>,
    .rope = rope<X86Lanes>,
    .silu_mul = silu_mul<Avx512>,
    .add = add<X86Lanes>,
    .find_peaks = find_peaks<X86Lanes>,
    .store_kv = store_kv<X86Lanes, quantize_q8_0<X86Lanes>>,
    .attend = attend<Avx512>,
};

}  // namespace kylin
