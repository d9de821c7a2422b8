#include "engine/prefix_cache.h"

#include <gtest/gtest.h>
#include <numeric>
#include <rapidcheck/gtest.h>

namespace kylin {
namespace {

using Tokens = std::vector<int32_t>;

Tokens text(size_t n, int32_t first = 0) {
    Tokens tokens(n);
    std::iota(tokens.begin(), tokens.end(), first);
    return tokens;
}

Tokens operator+(Tokens a, const Tokens& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

CachedTokens cached(PagePool& pool, Tokens tokens) {
    PageTable pages(pool);
    EXPECT_TRUE(pages.resize(pages_for(static_cast<int>(tokens.size()))));
    return {std::move(tokens), std::move(pages)};
}

TEST(PrefixCache, SharesFullPagesAndHandsOverTheLastOne) {
    PagePool pool(10);
    PrefixCache cache(pool);
    cache.keep(cached(pool, text(150)), "");
    EXPECT_EQ(cache.n_pages(), 3);
    const CachedTokens first = cache.find(text(150), ""), second = cache.find(text(150), "");
    EXPECT_EQ(first.tokens, text(150));
    EXPECT_EQ(second.tokens, text(128));  // the last page has one owner
    EXPECT_EQ(first.pages.pages()[1], second.pages.pages()[1]);
    EXPECT_EQ(cache.n_pages(), 0);
    EXPECT_EQ(pool.n_free(), 7);
}

TEST(PrefixCache, SharesWhatARunningTextFills) {
    PagePool pool(10);
    PrefixCache cache(pool);
    const CachedTokens running = cached(pool, text(100));
    cache.share(running.tokens, running.pages, "");
    const CachedTokens other = cache.find(text(64) + text(64, 500), "");
    EXPECT_EQ(other.tokens, text(64));
    EXPECT_EQ(other.pages.pages()[0], running.pages.pages()[0]);
    EXPECT_FALSE(cache.drop_oldest());  // others hold it
}

TEST(PrefixCache, TakesTheCommonPartOfAPageThatMostlyHoldsIt) {
    PagePool pool(10);
    PrefixCache cache(pool);
    cache.keep(cached(pool, text(40) + text(30, 500)), "");
    EXPECT_EQ(cache.find(text(40) + text(9, 900), "").tokens, text(40));
    EXPECT_EQ(cache.n_pages(), 0);  // what went on from there was given up
    cache.keep(cached(pool, text(40) + text(200, 500)), "");
    EXPECT_TRUE(cache.find(text(40) + text(9, 900), "").tokens.empty());
    EXPECT_EQ(cache.n_pages(), 4);
    EXPECT_TRUE(cache.find(Tokens{}, "").tokens.empty());
}

TEST(PrefixCache, KnowsTokensNotHashesAndKeepsSaltsApart) {
    PagePool pool(10);
    PrefixCache cache(pool);
    cache.keep(cached(pool, text(64)), "a");
    EXPECT_TRUE(cache.find(text(64), "").tokens.empty());
    EXPECT_TRUE(cache.find(text(64), "b").tokens.empty());
    EXPECT_TRUE(cache.find(text(64, 1), "a").tokens.empty());
    EXPECT_EQ(cache.find(text(64), "a").tokens, text(64));
}

TEST(PrefixCache, DropsTheEndsOfWhatIsLongestUnused) {
    PagePool pool(10);
    PrefixCache cache(pool);
    cache.keep(cached(pool, text(64) + text(64, 100)), "");
    cache.keep(cached(pool, text(64) + text(64, 200)), "");
    EXPECT_EQ(pool.n_free(), 7);  // the common beginning is there once
    cache.find(text(64) + text(64, 100), "");
    EXPECT_TRUE(cache.drop_oldest());
    EXPECT_EQ(cache.find(text(64) + text(64, 200), "").tokens, text(64));
    EXPECT_EQ(cache.find(text(64) + text(64, 100), "").tokens, text(64) + text(64, 100));
    while (cache.drop_oldest()) continue;
    EXPECT_EQ(pool.n_free(), pool.n_total());
}

// Texts of a few blocks, so that many begin alike; every page remembers the tokens that were written to it.
RC_GTEST_PROP(PrefixCache, EveryPageHoldsTheTokensThatItIsFoundFor, ()) {
    PagePool pool(12);
    PrefixCache cache(pool);
    std::vector<std::vector<int32_t>> written(12, Tokens(page_positions, -1));
    const auto ask = rc::gen::pair(rc::gen::container<Tokens>(rc::gen::inRange(0, 2)), rc::gen::inRange<size_t>(1, 64));
    for (const auto& [blocks, n_last] : *rc::gen::container<std::vector<std::pair<Tokens, size_t>>>(ask)) {
        Tokens tokens;
        for (const int32_t block : Tokens(blocks.begin(), blocks.begin() + static_cast<std::ptrdiff_t>(std::min<size_t>(blocks.size(), 4))))
            tokens = tokens + Tokens(page_positions, block);
        tokens = tokens + Tokens(n_last, 7);
        const std::string salt(n_last % 2, 's');
        CachedTokens found = cache.find(tokens, salt);
        RC_ASSERT(found.tokens.size() <= tokens.size() && std::equal(found.tokens.begin(), found.tokens.end(), tokens.begin()));
        RC_ASSERT(found.pages.size() == pages_for(static_cast<int>(found.tokens.size())));
        while (!found.pages.resize(pages_for(static_cast<int>(tokens.size())))) RC_ASSERT(cache.drop_oldest());
        for (size_t p = 0; p < tokens.size(); ++p) {
            int32_t& slot = written[static_cast<size_t>(found.pages.pages()[p / page_positions])][p % page_positions];
            if (p < found.tokens.size())
                RC_ASSERT(slot == tokens[p]);
            else
                slot = tokens[p];
        }
        cache.share(tokens, found.pages, salt);
        cache.keep({tokens, std::move(found.pages)}, salt);
        RC_ASSERT(cache.n_pages() + pool.n_free() == pool.n_total());
    }
}

}  // namespace
}  // namespace kylin
