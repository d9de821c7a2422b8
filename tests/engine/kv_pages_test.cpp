#include "engine/kv_pages.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <set>

#include "engine/kept_pages.h"

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

CachedTokens cached(PagePool& pool, std::vector<int32_t> tokens, int n_pages) {
    PageTable pages(pool);
    EXPECT_TRUE(pages.resize(n_pages));
    return {std::move(tokens), std::move(pages)};
}

TEST(KeptPages, GivesTheLongestBeginningAndGivesBackWhatIsUnused) {
    PagePool pool(10);
    KeptPages kept;
    kept.keep(cached(pool, {1, 2, 3}, 4));
    EXPECT_EQ(pool.n_free(), 9);  // three tokens need one page
    kept.keep(cached(pool, {1, 2, 3, 4, 5}, 1));
    const auto taken = kept.take(std::vector<int32_t>{1, 2, 3, 4, 9, 9});
    ASSERT_TRUE(taken);
    EXPECT_EQ(taken->tokens, (std::vector<int32_t>{1, 2, 3, 4}));
    EXPECT_EQ(taken->pages.size(), 1);
    EXPECT_TRUE(kept.drop_oldest());
    EXPECT_FALSE(kept.drop_oldest());
    EXPECT_EQ(pool.n_free(), 9);
}

TEST(KeptPages, LeavesAlonePagesThatMostlyHoldOtherTokens) {
    PagePool pool(10);
    KeptPages kept;
    kept.keep(cached(pool, {1, 2, 3, 4, 5}, 1));
    EXPECT_FALSE(kept.take(std::vector<int32_t>{1, 2, 9}));
    EXPECT_FALSE(kept.take(std::vector<int32_t>{}));
    kept.keep(cached(pool, {}, 3));  // nothing to keep: the pages are free again
    EXPECT_EQ(pool.n_free(), 9);
    EXPECT_TRUE(kept.drop_oldest());
    EXPECT_EQ(pool.n_free(), 10);
}

}  // namespace
}  // namespace kylin
