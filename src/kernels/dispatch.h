// The tables that exist in this build, one per file of isa/. For dispatch and those files only.
#pragma once
#include "kernels/kernels.h"

namespace kylin {

extern const Kernels scalar_kernels;
#ifdef __x86_64__
extern const Kernels avx2_kernels;
extern const Kernels avx_vnni_kernels;
extern const Kernels avx512_kernels;
extern const Kernels avx512_intel_kernels;
extern const Kernels avx512_cascade_lake_kernels;
#elif defined(__aarch64__)
extern const Kernels neon_kernels;
extern const Kernels neon_i8mm_kernels;
#endif

}  // namespace kylin
