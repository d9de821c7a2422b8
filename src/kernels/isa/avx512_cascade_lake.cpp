// The kernels of avx512_intel.cpp without GFNI: for Cascade Lake and Cooper Lake.
#include "kernels/dispatch.h"
#include "kernels/isa/avx512_intel_lanes.h"
#include "kernels/recipes/table.h"

namespace kylin {

constinit const Kernels avx512_cascade_lake_kernels = table_of<Avx512Intel, X86Lanes, Avx512>("avx512_cascade_lake");

}  // namespace kylin
