// The kernels for AVX-512 with VNNI: exact int32 dot products of bytes. Matmul and attention, where the time goes, are in 512-bit vectors;
// the operations on single rows are in 256 bits.
#include "kernels/dispatch.h"
#include "kernels/isa/avx512_lanes.h"
#include "kernels/recipes/table.h"

namespace kylin {

constinit const Kernels avx512_kernels = table_of<Avx512, X86Lanes, Avx512>("avx512");

}  // namespace kylin
