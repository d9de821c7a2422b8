#include "server/json_fields.h"

#include <gtest/gtest.h>
#include <limits>

#include "base/error.h"

namespace kylin::server {
namespace {

std::string error_of(const Json& value, int low, int high) {
    try {
        as_int(value, "n", low, high);
    } catch (const InputError& e) {
        return e.what();
    }
    return "";
}

TEST(JsonFields, IntegersAreWholeAndInTheirRange) {
    EXPECT_EQ(as_int(Json(-1), "n", -1, 5), -1);
    EXPECT_EQ(as_int(Json(5), "n", -1, 5), 5);
    EXPECT_EQ(error_of(1.5, 0, 5), "n: must be an integer, 0 .. 5, not 1.5");
    EXPECT_EQ(error_of(2.0, 0, 5), "n: must be an integer, 0 .. 5, not 2.0");
    EXPECT_EQ(error_of(-2, -1, 5), "n: must be an integer, -1 .. 5, not -2");
    EXPECT_EQ(error_of(6, -1, 5), "n: must be an integer, -1 .. 5, not 6");
    // As a signed number it would be -1.
    EXPECT_EQ(error_of(std::numeric_limits<uint64_t>::max(), -1, 5), "n: must be an integer, -1 .. 5, not 18446744073709551615");
}

}  // namespace
}  // namespace kylin::server
