#include "parity/metrics.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>

#include "parity/logits.h"

namespace kylin::parity {
namespace {

TEST(Difference, IsWhatItsFormulasSay) {
    DifferenceSum sum(2, 2);
    sum.add(0, -1, std::vector<double>{1, 2, 3, 4}, std::vector<double>{1, 2, 3, 8});
    sum.add(1, -1, std::vector<double>{0, 1, 0, 0}, std::vector<double>{0, 2, 0, 0});
    const Difference d = sum.result();
    EXPECT_EQ(d.max_abs, 4);
    EXPECT_EQ(d.mean_abs, 5.0 / 8);
    EXPECT_DOUBLE_EQ(d.rmse, std::sqrt(17.0 / 8));
    EXPECT_DOUBLE_EQ(d.nmse, 17.0 / (1 + 4 + 9 + 64 + 4));
    EXPECT_EQ(d.worst_token, 1);
    EXPECT_DOUBLE_EQ(d.worst_row, 0.5);
    EXPECT_DOUBLE_EQ(sum.per_head()[0], std::sqrt(1.0 / (1 + 4 + 4)));
    ASSERT_EQ(sum.worst().size(), 2u);
    EXPECT_EQ(sum.worst()[0].head, 1);
    EXPECT_EQ(sum.worst()[0].channel, 1);
    EXPECT_EQ(sum.worst()[0].ours, 4);
}

TEST(Difference, CountsUlps) {
    DifferenceSum sum(1, 1);
    const double one = 1, next = std::nextafter(1.0f, 2.0f), third = 1 + 3 * 0x1p-23;
    sum.add(0, -1, std::vector<double>{one, next, third, -0.0}, std::vector<double>{one, one, one, 0.0});
    EXPECT_EQ(sum.ulps()[0], 2u);  // equal, and the two zeros
    EXPECT_EQ(sum.ulps()[1], 1u);
    EXPECT_EQ(sum.ulps()[2], 1u);  // 2 or 3
}

TEST(Difference, NeverCallsANanSmall) {
    for (const bool ours : {true, false}) {
        DifferenceSum sum(1, 1);
        const double nan = std::numeric_limits<double>::quiet_NaN();
        sum.add(0, -1, std::vector<double>{ours ? nan : 1.0, 2}, std::vector<double>{ours ? 1.0 : nan, 2});
        EXPECT_FALSE(std::isfinite(sum.result().max_abs));
        EXPECT_FALSE(sum.result().worst_row <= 1e300);
    }
}

TEST(Difference, AnOutlierDoesNotHideItsNeighbours) {
    std::vector<double> a(256, 1.5), b(256, 1.0);
    a[9] = b[9] = 1e4;
    DifferenceSum sum(1, 1);
    sum.add(0, -1, a, b);
    EXPECT_LT(sum.result().nmse, 1e-6);
    EXPECT_DOUBLE_EQ(sum.non_outlier_nmse(), 0.25);
}

TEST(Logits, DivergenceIsThatOfTheDefinition) {
    const std::vector<double> p = {std::log(0.5), std::log(0.5)}, q = {std::log(0.25) + 7, std::log(0.75) + 7};
    EXPECT_NEAR(kl_divergence(p, q), 0.5 * std::log(2.0) + 0.5 * std::log(2.0 / 3), 1e-12);
    EXPECT_EQ(kl_divergence(p, p), 0);
}

TEST(Logits, TheFirstOtherChoiceIsFound) {
    const std::vector<std::vector<double>> ours = {{3, 1, 0}, {1, 2, 0}, {0, 0, 5}}, reference = {{3, 1, 0}, {2.5, 2, 0}, {0, 0, 5}};
    const LogitReport r = compare_logits({0, 1, 2}, {0.1, 0.2, 0.3}, [&](int t, std::vector<double>& a, std::vector<double>& b) {
        a = ours[static_cast<size_t>(t)], b = reference[static_cast<size_t>(t)];
    });
    ASSERT_TRUE(r.first_difference);
    EXPECT_EQ(r.first_difference->token, 1);
    EXPECT_EQ(r.first_difference->ours, 1);
    EXPECT_EQ(r.first_difference->reference, 0);
    EXPECT_EQ(r.first_difference->margin, 1);
    EXPECT_EQ(r.first_difference->noise, 0.2);
    EXPECT_DOUBLE_EQ(r.top1, 2.0 / 3);
    EXPECT_EQ(r.least_margin, 0.5);
    EXPECT_EQ(r.kl_max_token, 1);
}

}  // namespace
}  // namespace kylin::parity
