#include "engine/kv_pages.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <set>

namespace kylin {
namespace {

// Every page is free or in one table, and nowhere twice.
bool conserved(const PagePool& pool, const std::vector<PageTable>& tables) {
    std::set<int32_t> used;
    size_t n = 0;
    for (const PageTable& table : tables) {
        used.insert(table.pages().begin(), table.pages().end());
        n += table.pages().size();
    }
    const bool in_range = used.empty() || (*used.begin() >= 0 && *used.rbegin() < pool.n_total());
    return in_range && used.size() == n && static_cast<int>(n) + pool.n_free() == pool.n_total();
}

RC_GTEST_PROP(PagePool, ConservesPages, ()) {
    PagePool pool(*rc::gen::inRange(1, 40));
    {
        std::vector<PageTable> tables;
        for (int i = 0; i < 5; ++i) tables.emplace_back(pool);
        for (const auto& [which, n] : *rc::gen::container<std::vector<std::pair<size_t, int>>>(
                 rc::gen::pair(rc::gen::inRange<size_t>(0, 5), rc::gen::inRange(0, 20)))) {
            PageTable& table = tables[which];
            const std::vector<int32_t> before(table.pages().begin(), table.pages().end());
            const bool fits = n - table.size() <= pool.n_free();
            RC_ASSERT(table.resize(n) == fits);
            RC_ASSERT(table.size() == (fits ? n : static_cast<int>(before.size())));
            const size_t kept = std::min(before.size(), table.pages().size());
            RC_ASSERT(std::equal(before.begin(), before.begin() + static_cast<std::ptrdiff_t>(kept), table.pages().begin()));
            RC_ASSERT(conserved(pool, tables));
        }
        if (tables[0].size() > 0) tables[1] = std::move(tables[0]);
        RC_ASSERT(conserved(pool, tables));
    }
    RC_ASSERT(pool.n_free() == pool.n_total());
}

TEST(PagePool, CountsPagesOfPositions) {
    EXPECT_EQ(pages_for(0), 0);
    EXPECT_EQ(pages_for(1), 1);
    EXPECT_EQ(pages_for(page_positions), 1);
    EXPECT_EQ(pages_for(page_positions + 1), 2);
}

TEST(PagePool, TakesAPageBackFromItsLastHolder) {
    PagePool pool(3);
    PageTable first(pool);
    ASSERT_TRUE(first.resize(2));
    {
        PageTable second(pool);
        second.share(first, 1);
        EXPECT_EQ(second.pages()[0], first.pages()[1]);
        EXPECT_EQ(pool.n_holders(first.pages()[1]), 2);
        first.resize(0);
        EXPECT_EQ(pool.n_free(), 2);
    }
    EXPECT_EQ(pool.n_free(), 3);
}

}  // namespace
}  // namespace kylin
