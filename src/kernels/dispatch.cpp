// Which tables this CPU can run. The only place that asks the CPU; compiled for the baseline.
#include "kernels/dispatch.h"

#ifdef __x86_64__
#include <cpuid.h>
#endif

#include "base/error.h"
#ifdef __aarch64__
#include <sys/auxv.h>
#endif

namespace kylin {
namespace {

#ifdef __x86_64__
// Clang 14 does not know "f16c" by name.
bool has_f16c() {
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_F16C) != 0;
}

// __builtin_cpu_supports asks the operating system too: a feature whose registers it does not save counts as absent.
bool runs_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c(); }
bool runs_gfni() { return __builtin_cpu_supports("gfni"); }
bool runs_avx_vnni() {
    constexpr unsigned avx_vnni = 1u << 4;  // not every compiler knows it by name
    unsigned a = 0, b = 0, c = 0, d = 0;
    return runs_avx2() && runs_gfni() && __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a & avx_vnni) != 0;
}
bool runs_avx512() {
    return runs_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vnni");
}
#elif defined(__aarch64__)
bool runs_neon() { return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0; }
bool runs_neon_i8mm() { return runs_neon() && (getauxval(AT_HWCAP2) & HWCAP2_I8MM) != 0; }
#endif

}  // namespace

size_t activation_bytes(Activation form, int width) {
    const size_t n = static_cast<size_t>(width);
    switch (form) {
        case Activation::q8_0:
            return n / 32 * sizeof(ActivationQ8_0);
        case Activation::q8_k:
            return n / 256 * sizeof(ActivationQ8_K);
        default:
            return n * sizeof(float);
    }
}

std::vector<const Kernels*> usable_kernels() {
    std::vector<const Kernels*> tables;
#ifdef __x86_64__
    if (runs_avx512()) {
        std::vector<const Kernels*> intel = {&avx512_cascade_lake_kernels};
        if (runs_gfni()) intel.insert(intel.begin(), &avx512_intel_kernels);
        tables = {&avx512_kernels};
        tables.insert(__builtin_cpu_is("intel") ? tables.begin() : tables.end(), intel.begin(), intel.end());
    }
    if (runs_avx_vnni()) tables.push_back(&avx_vnni_kernels);
    if (runs_avx2()) tables.push_back(&avx2_kernels);
#elif defined(__aarch64__)
    if (runs_neon_i8mm()) tables.push_back(&neon_i8mm_kernels);
    if (runs_neon()) tables.push_back(&neon_kernels);
#endif
    tables.push_back(&scalar_kernels);
    return tables;
}

const Kernels& select_kernels(std::string_view name) {
    const std::vector<const Kernels*> tables = usable_kernels();
    if (name.empty()) return *tables.front();
    std::string names;
    for (const Kernels* table : tables) {
        if (table->name == name) return *table;
        names += (names.empty() ? "" : ", ") + std::string(table->name);
    }
    throw InputError("kernels", "no instruction set '" + std::string(name) + "' on this machine; it can run " + names);
}

}  // namespace kylin
