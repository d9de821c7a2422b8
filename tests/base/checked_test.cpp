// Overflow is remembered through every further step.
#include "base/checked.h"

#include <gtest/gtest.h>
#include <limits>

namespace kylin {
namespace {

constexpr uint64_t most = std::numeric_limits<uint64_t>::max();

TEST(Checked, SumsAndProductsThatFit) {
    EXPECT_EQ((Checked(3) * 4 + 5).value(), 17u);
    EXPECT_EQ((Checked(most - 1) + 1).value(), most);
}

TEST(Checked, OverflowIsNoValue) {
    EXPECT_FALSE((Checked(most) + 1).value());
    EXPECT_FALSE((Checked(uint64_t{1} << 32) * (uint64_t{1} << 32)).value());
}

TEST(Checked, OverflowSurvivesLaterSteps) {
    const Checked wrapped_to_zero = Checked(uint64_t{1} << 32) * (uint64_t{1} << 32);
    EXPECT_FALSE((wrapped_to_zero + 1).value());
    EXPECT_FALSE((wrapped_to_zero * 0).value());
    EXPECT_FALSE((Checked(1) + wrapped_to_zero).value());
    EXPECT_FALSE(wrapped_to_zero.rounded_up(32).value());
    EXPECT_FALSE(wrapped_to_zero.within(most));
}

TEST(Checked, RoundsUp) {
    EXPECT_EQ(Checked(0).rounded_up(32).value(), 0u);
    EXPECT_EQ(Checked(1).rounded_up(32).value(), 32u);
    EXPECT_EQ(Checked(64).rounded_up(32).value(), 64u);
    EXPECT_FALSE(Checked(most).rounded_up(32).value());
}

TEST(Checked, ComparesWithALimit) {
    EXPECT_TRUE((Checked(10) * 10).within(100));
    EXPECT_FALSE((Checked(10) * 10 + 1).within(100));
}

}  // namespace
}  // namespace kylin
