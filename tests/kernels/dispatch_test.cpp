// The choice of a table: best first, scalar last, each one complete, and the named one or an error.
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <gtest/gtest.h>

#include "base/error.h"
#include "kernels/kernels.h"

namespace kylin {
namespace {

TEST(Dispatch, ListsScalarLastAndSelectsTheFirst) {
    const auto tables = usable_kernels();
    ASSERT_FALSE(tables.empty());
    EXPECT_EQ(tables.back()->name, "scalar");
    EXPECT_EQ(&select_kernels(), tables.front());
}

#ifdef __x86_64__
// As the kernel of the system lists it: a flag that this compiler may not know by name.
bool has_flag(const std::string& flag) {
    std::ifstream info("/proc/cpuinfo");
    for (std::string word; info >> word;)
        if (word == flag) return true;
    return false;
}
#endif

TEST(Dispatch, OffersWhatTheCpuHas) {
#ifdef __x86_64__
    std::vector<std::string_view> expected;
    if (__builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vl")) {
        std::vector<std::string_view> intel = {"avx512_cascade_lake"};
        if (has_flag("gfni")) intel.insert(intel.begin(), "avx512_intel");
        expected.push_back("avx512");
        expected.insert(__builtin_cpu_is("intel") ? expected.begin() : expected.end(), intel.begin(), intel.end());
    }
    if (has_flag("avx_vnni") && has_flag("gfni")) expected.push_back("avx_vnni");
    if (__builtin_cpu_supports("avx2")) expected.push_back("avx2");
    expected.push_back("scalar");
    std::vector<std::string_view> names;
    for (const Kernels* table : usable_kernels()) names.push_back(table->name);
    EXPECT_EQ(names, expected);
#else
    // Who emulates a CPU knows what it has; to ask getauxval here would be to ask what dispatch asks.
    const char* expected = std::getenv("KYLIN_EXPECTED_KERNELS");
    if (!expected) GTEST_SKIP() << "KYLIN_EXPECTED_KERNELS does not say what this CPU has";
    EXPECT_EQ(usable_kernels().front()->name, expected);
#endif
}

TEST(Dispatch, SelectsByName) {
    for (const Kernels* table : usable_kernels()) EXPECT_EQ(&select_kernels(table->name), table);
}

TEST(Dispatch, RefusesAnUnknownNameAndListsTheOthers) {
    try {
        select_kernels("sse9");
        FAIL() << "an unknown name was accepted";
    } catch (const InputError& error) {
        EXPECT_NE(std::string(error.what()).find("sse9"), std::string::npos);
        EXPECT_NE(std::string(error.what()).find("scalar"), std::string::npos);
    }
}

TEST(Dispatch, EveryTableIsComplete) {
    for (const Kernels* k : usable_kernels()) {
        EXPECT_TRUE(k->quantize_q8_0 && k->quantize_q8_k && k->matmul) << k->name;
        EXPECT_TRUE(k->rms_norm && k->rope && k->silu_mul && k->add && k->find_peaks) << k->name;
        EXPECT_TRUE(k->store_kv && k->attend && k->multiply_floats) << k->name;
    }
}

TEST(Dispatch, TheMostProductsOfFloatsAreReallyMade) {
    for (const Kernels* k : usable_kernels()) {
        double products = 0, twice = 0;
        // With the factor 1 each step of a chain adds 1, and the value is the sum of as many chains as a lane has.
        const float value = k->multiply_floats(999, 1, products), double_steps = k->multiply_floats(1999, 1, twice);
        EXPECT_EQ(double_steps, 2 * value) << k->name;
        const double chains = value / 1000, lanes = products / 999 / chains;
        EXPECT_GE(chains, 8) << k->name;
        EXPECT_EQ(lanes, std::floor(lanes)) << k->name;
        EXPECT_EQ(twice / 1999, products / 999) << k->name;
    }
}

}  // namespace
}  // namespace kylin
