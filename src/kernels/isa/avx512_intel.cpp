// The kernels of avx512.cpp for Intel's processors with GFNI (Ice Lake and later), compiled for their pace.
#include "kernels/dispatch.h"
#include "kernels/isa/avx512_intel_lanes.h"
#include "kernels/recipes/table.h"

namespace kylin {

constinit const Kernels avx512_intel_kernels = table_of<MovesBits<Avx512Intel>, X86Lanes, Avx512>("avx512_intel");

}  // namespace kylin
