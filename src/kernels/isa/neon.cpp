// The kernels for AArch64 with the dot product extension (Cortex-A76, Neoverse N1, Apple M1 and later). NEON itself belongs to the
// baseline; only the dot product is asked for.
#include "kernels/dispatch.h"
#include "kernels/isa/neon_lanes.h"
#include "kernels/recipes/table.h"

namespace kylin {

constinit const Kernels neon_kernels = table_of<Neon, Neon>("neon");

}  // namespace kylin
