#include "engine/philox.h"

#include <gtest/gtest.h>
#include <set>

namespace kylin {
namespace {

using Words = std::array<uint32_t, 4>;

// The known answers that Random123, the authors' library, tests itself with.
TEST(Philox, GivesTheKnownAnswers) {
    EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
    EXPECT_EQ(philox4x32({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}), (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
    EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
              (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, UniformLooksUniform) {
    constexpr int n = 20000;
    double sum = 0, squares = 0;
    for (uint64_t i = 0; i < n; ++i) {
        const double u = uniform(7, i);
        ASSERT_GE(u, 0);
        ASSERT_LT(u, 1);
        sum += u;
        squares += u * u;
    }
    // Mean 1/2 with deviation 1/sqrt(12 n) = 0.002, mean square 1/3 with deviation sqrt(4/45/n) = 0.0021: five of them.
    EXPECT_NEAR(sum / n, 0.5, 0.0102);
    EXPECT_NEAR(squares / n, 1.0 / 3, 0.0106);
}

TEST(Philox, SeedAndIndexBothMatter) {
    std::set<double> seen;
    for (const uint64_t seed : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 32, ~uint64_t{0}})
        for (const uint64_t index : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 32}) seen.insert(uniform(seed, index));
    EXPECT_EQ(seen.size(), 12u);
}

}  // namespace
}  // namespace kylin
