// Which tables this CPU can run. The only place that asks the CPU; compiled for the baseline.
#include "kernels/dispatch.h"

#include "base/error.h"

namespace kylin {
namespace {

// __builtin_cpu_supports asks the operating system too: a feature whose registers it does not save counts as absent.
#ifdef __x86_64__
bool runs_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c"); }
bool runs_avx512() {
    return runs_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vnni");
}
#endif

}  // namespace

size_t activation_bytes(Activation form, int width) {
    const size_t n = static_cast<size_t>(width);
    switch (form) {
        case Activation::q8_0:
            return n / 32 * sizeof(BlockQ8_0);
        case Activation::q8_k:
            return n / 256 * sizeof(BlockQ8_K);
        default:
            return n * sizeof(float);
    }
}

std::vector<const Kernels*> usable_kernels() {
    std::vector<const Kernels*> tables;
#ifdef __x86_64__
    if (runs_avx512()) tables.push_back(&avx512_kernels);
    if (runs_avx2()) tables.push_back(&avx2_kernels);
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
