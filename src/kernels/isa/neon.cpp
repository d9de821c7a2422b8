// The kernels for AArch64 with the dot product extension (Cortex-A76, Neoverse N1, Apple M1 and later). NEON itself belongs to the
// baseline; only the dot product is asked for.
#include "kernels/dispatch.h"
#include "kernels/isa/neon_lanes.h"
#include "kernels/recipes/attention.h"
#include "kernels/recipes/matmul.h"
#include "kernels/recipes/quantize.h"
#include "kernels/recipes/rows.h"

namespace kylin {

const Kernels neon_kernels = {
    .name = "neon",
    .quantize_q8_0 = quantize_q8_0<Neon>,
    .quantize_q8_k = quantize_q8_k<Neon>,
    .matmul = matmul<Neon>,
    .rms_norm = rms_norm<Neon>,
    .rope = rope<Neon>,
    .silu_mul = silu_mul<Neon>,
    .add = add<Neon>,
    .find_peaks = find_peaks<Neon>,
    .store_kv = store_kv<Neon, quantize_q8_0<Neon>>,
    .attend = attend<Neon>,
};

}  // namespace kylin
