#include "base/string_list.h"

#include <gtest/gtest.h>

namespace kylin {
namespace {

TEST(StringList, GivesBackWhatWasPutIn) {
    const std::vector<std::string> strings = {"", "a", "", std::string("b\0c", 3), std::string(1000, 'x'), ""};
    const StringList list = strings;
    ASSERT_EQ(list.size(), strings.size());
    EXPECT_EQ(list.n_bytes(), 1004u);
    for (size_t i = 0; i < strings.size(); ++i) EXPECT_EQ(list[i], strings[i]);
    EXPECT_EQ(std::vector<std::string>(list.begin(), list.end()), strings);
}

TEST(StringList, IsEmptyAtFirst) {
    const StringList list;
    EXPECT_TRUE(list.empty());
    EXPECT_EQ(list.begin(), list.end());
}

TEST(StringList, TellsListsApartThatHaveTheSameBytes) {
    using Strings = std::vector<std::string>;
    EXPECT_EQ(StringList(Strings{"ab", "c"}), StringList(Strings{"ab", "c"}));
    EXPECT_NE(StringList(Strings{"ab", "c"}), StringList(Strings{"a", "bc"}));
    EXPECT_NE(StringList(Strings{"a"}), StringList(Strings{"a", ""}));
}

}  // namespace
}  // namespace kylin
