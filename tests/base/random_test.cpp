// The generator is part of what a seed means: its numbers may never change.
#include "base/random.h"

#include <cmath>
#include <gtest/gtest.h>

namespace kylin {
namespace {

TEST(Random, NumbersOfSplitMix64) {
    Random random(1234567);
    EXPECT_EQ(random.next(), 6457827717110365317u);  // the reference implementation's first two for this seed
    EXPECT_EQ(random.next(), 3203168211198807973u);
}

TEST(Random, BellHasMeanZeroAndVarianceOne) {
    Random random(1);
    constexpr int n = 100000;
    double sum = 0, squares = 0;
    for (int i = 0; i < n; ++i) {
        const double x = random.bell();
        EXPECT_LE(std::fabs(x), 3.5);
        sum += x;
        squares += x * x;
    }
    // Five standard errors: 1 / sqrt(n) of the mean, sqrt(1.7 / n) of the mean square (kurtosis 2.7).
    EXPECT_NEAR(sum / n, 0, 5 / std::sqrt(n));
    EXPECT_NEAR(squares / n, 1, 5 * std::sqrt(1.7 / n));
}

TEST(Random, UniformStaysBelowOne) {
    Random random(2);
    for (int i = 0; i < 10000; ++i) {
        const double x = random.uniform();
        ASSERT_GE(x, 0);
        ASSERT_LT(x, 1);
    }
}

}  // namespace
}  // namespace kylin
