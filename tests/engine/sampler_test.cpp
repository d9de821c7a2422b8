#include "engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <map>
#include <rapidcheck/gtest.h>
#include <set>

#include "engine/philox.h"

namespace kylin {
namespace {

struct Entry {
    int32_t id;
    double logit, probability = 0;
};
using Entries = std::vector<Entry>;

void sort_and_normalize(Entries& entries, double temperature = 1) {
    std::sort(entries.begin(), entries.end(),
              [](const Entry& a, const Entry& b) { return std::pair(-a.logit, a.id) < std::pair(-b.logit, b.id); });
    double sum = 0;
    for (const Entry& e : entries) sum += std::exp((e.logit - entries[0].logit) / temperature);
    for (Entry& e : entries) e.probability = std::exp((e.logit - entries[0].logit) / temperature) / sum;
}

void keep_until(Entries& entries, double p) {
    double sum = 0;
    for (size_t i = 0; i < entries.size(); ++i)
        if ((sum += entries[i].probability) >= p) return entries.resize(i + 1);
}

double surprise(const Entry& e) { return -std::log(e.probability); }

// The definition, step by step: everything sorted and normalized before each step.
Entries distribution(const Sampling& s, std::span<const float> logits, std::span<const int32_t> tokens) {
    Entries entries;
    for (size_t i = 0; i < logits.size(); ++i) entries.push_back({static_cast<int32_t>(i), static_cast<double>(logits[i])});
    for (const auto& [id, bias] : s.logit_bias) entries[static_cast<size_t>(id)].logit += static_cast<double>(bias);
    for (Entry& e : entries) {
        const auto begin = s.penalty_window < 0 || tokens.size() < static_cast<size_t>(s.penalty_window) ? tokens.begin()
                                                                                                         : tokens.end() - s.penalty_window;
        const auto n = static_cast<double>(std::count(begin, tokens.end(), e.id));
        if (n == 0) continue;
        e.logit = e.logit > 0 ? e.logit / s.repetition_penalty : e.logit * s.repetition_penalty;
        e.logit -= n * s.frequency_penalty + s.presence_penalty;
    }
    sort_and_normalize(entries);
    if (s.top_k > 0 && static_cast<size_t>(s.top_k) < entries.size()) entries.resize(static_cast<size_t>(s.top_k));
    sort_and_normalize(entries);
    if (s.typical_p < 1) {
        double entropy = 0;
        for (const Entry& e : entries) entropy += e.probability * surprise(e);
        std::stable_sort(entries.begin(), entries.end(),
                         [&](const Entry& a, const Entry& b) { return std::abs(surprise(a) - entropy) < std::abs(surprise(b) - entropy); });
        keep_until(entries, s.typical_p);
    }
    sort_and_normalize(entries);
    if (s.top_p < 1) keep_until(entries, s.top_p);
    sort_and_normalize(entries);
    std::erase_if(entries, [least = entries[0].probability * s.min_p](const Entry& e) { return e.probability < least; });
    sort_and_normalize(entries, s.temperature);
    return entries;
}

int32_t choose_by_definition(const Sampling& s, std::span<const float> logits, const Sampler::Context& context) {
    Sampling effective = s;
    if (s.temperature == 0) effective.temperature = effective.typical_p = 1;  // the largest logit, however untypical
    const Entries entries = distribution(effective, logits, context.tokens);
    if (s.temperature == 0) return entries[0].id;
    double sum = 0;
    for (const Entry& e : entries)
        if ((sum += e.probability) > uniform(s.seed, context.index)) return e.id;
    return entries.back().id;
}

// A share that no sum of a few equal probabilities hits, so that rounding decides nothing.
rc::Gen<double> odd_share() {
    return rc::gen::map(rc::gen::inRange(0, 1000), [](int k) { return (k + 0.3711) / 1000.0517; });
}

template <class T>
rc::Gen<T> either(T off, rc::Gen<T> on) {
    return rc::gen::oneOf(rc::gen::just(off), std::move(on));
}

rc::Gen<double> odd_number(int low, int high) {
    return rc::gen::map(rc::gen::inRange(low * 100, high * 100), [](int k) { return k / 100.0 + 0.00137; });
}

Sampling any_sampling(int n_vocab) {
    Sampling s;
    s.temperature = *either(0.0, odd_number(0, 3));
    s.top_k = *rc::gen::oneOf(rc::gen::just(0), rc::gen::inRange(1, 6), rc::gen::inRange(1, n_vocab + 5));
    s.top_p = *either(1.0, odd_share());
    s.min_p = *either(0.0, odd_share());
    s.repetition_penalty = *either(1.0, odd_number(1, 3));
    s.presence_penalty = *either(0.0, odd_number(-2, 2));
    s.frequency_penalty = *either(0.0, odd_number(-2, 2));
    s.penalty_window = *rc::gen::inRange(-1, 12);
    s.logit_bias = *rc::gen::container<std::vector<std::pair<int32_t, float>>>(rc::gen::pair(
        rc::gen::inRange(0, n_vocab), rc::gen::map(rc::gen::inRange(-50, 50), [](int k) { return static_cast<float>(k) / 7; })));
    s.seed = *rc::gen::arbitrary<uint64_t>();
    return s;
}

// Few distinct values: equal logits are common.
std::vector<float> any_logits(int n_vocab) {
    return *rc::gen::container<std::vector<float>>(
        static_cast<size_t>(n_vocab), rc::gen::map(rc::gen::inRange(-40, 40), [](int k) { return static_cast<float>(k) / 8; }));
}

// So many tokens that a few of them are sought among several peaks.
RC_GTEST_PROP(Sampler, ChoosesAsDefined, ()) {
    const int n_vocab = *rc::gen::oneOf(rc::gen::inRange(1, 200), rc::gen::just(1000));
    const Sampling s = any_sampling(n_vocab);
    const std::vector<float> logits = any_logits(n_vocab);
    const auto tokens = *rc::gen::container<std::vector<int32_t>>(rc::gen::inRange(0, n_vocab));
    Sampler sampler;
    for (uint64_t index = 0; index < 4; ++index)
        RC_ASSERT(sampler.choose(s, logits, {tokens, index}) == choose_by_definition(s, logits, {tokens, index}));
}

// Apart from the others: with equal logits two tokens can lie equally far from the entropy up to rounding, so all logits differ here.
RC_GTEST_PROP(Sampler, TypicalChoosesAsDefined, ()) {
    const int n_vocab = *rc::gen::inRange(1, 200);
    Sampling s = any_sampling(n_vocab);
    s.typical_p = *odd_share();
    s.logit_bias.clear();
    std::vector<float> logits = any_logits(n_vocab);
    for (size_t i = 0; i < logits.size(); ++i) logits[i] += static_cast<float>(uniform(s.seed, i));
    Sampler sampler;
    for (uint64_t index = 0; index < 4; ++index)
        RC_ASSERT(sampler.choose(s, logits, {{}, index}) == choose_by_definition(s, logits, {{}, index}));
}

// A mask is as if the model had no other tokens.
RC_GTEST_PROP(Sampler, ChoosesAmongTheAllowedAlone, ()) {
    const int n_vocab = *rc::gen::oneOf(rc::gen::inRange(1, 200), rc::gen::just(1000));
    const Sampling s = any_sampling(n_vocab);
    const std::vector<float> logits = any_logits(n_vocab);
    const auto tokens = *rc::gen::container<std::vector<int32_t>>(rc::gen::inRange(0, n_vocab));

    grammar::TokenMask allowed(static_cast<size_t>(n_vocab));
    allowed.add(*rc::gen::inRange(0, n_vocab));
    for (const int32_t id : *rc::gen::container<std::vector<int32_t>>(rc::gen::inRange(0, n_vocab))) allowed.add(id);
    std::vector<int32_t> ids;  // of the allowed
    allowed.for_each([&](size_t id) { ids.push_back(static_cast<int32_t>(id)); });
    const auto renamed = [&](int32_t id) { return static_cast<int32_t>(std::lower_bound(ids.begin(), ids.end(), id) - ids.begin()); };

    Sampling only = s;
    only.logit_bias.clear();
    for (const auto& [id, bias] : s.logit_bias)
        if (allowed.allows(static_cast<size_t>(id))) only.logit_bias.emplace_back(renamed(id), bias);
    only.penalty_window = -1;  // the window counts all tokens: applied here
    const size_t window = s.penalty_window < 0 ? tokens.size() : std::min(tokens.size(), static_cast<size_t>(s.penalty_window));
    std::vector<int32_t> recent;
    for (const int32_t id : std::span(tokens).last(window))
        if (allowed.allows(static_cast<size_t>(id))) recent.push_back(renamed(id));
    std::vector<float> few;
    for (const int32_t id : ids) few.push_back(logits[static_cast<size_t>(id)]);

    Sampler sampler;
    for (uint64_t index = 0; index < 4; ++index) {
        const int32_t token = sampler.choose(s, logits, {tokens, index, &allowed});
        RC_ASSERT(renamed(token) == sampler.choose(only, few, {recent, index}));
        const auto probs = logprobs_of(logits, token, 3, &allowed), expected = logprobs_of(few, renamed(token), 3);
        RC_ASSERT(probs.size() == expected.size());
        for (size_t i = 0; i < probs.size(); ++i)
            RC_ASSERT(renamed(probs[i].id) == expected[i].id && probs[i].logprob == expected[i].logprob);
    }
}

TEST(Sampler, GreedyTakesTheLargestAndOfEqualsTheFirst) {
    const std::vector<float> logits = {1, 3, -2, 3, 3};
    EXPECT_EQ(Sampler().choose({}, logits, {{}, 0}), 1);
    EXPECT_EQ(Sampler().choose({.logit_bias = {{1, -0.5f}}}, logits, {{}, 0}), 3);
}

TEST(Sampler, ReproducesItsChoicesAndHasNoMemory) {
    std::vector<float> logits(500);
    for (size_t i = 0; i < logits.size(); ++i) logits[i] = static_cast<float>(uniform(3, i));
    const Sampling s{.temperature = 1, .top_p = 0.9, .seed = 42};
    Sampler first, second;
    std::vector<int32_t> forward, backward;
    for (uint64_t i = 0; i < 50; ++i) forward.push_back(first.choose(s, logits, {{}, i}));
    for (uint64_t i = 50; i-- > 0;) backward.insert(backward.begin(), second.choose(s, logits, {{}, i}));
    EXPECT_EQ(forward, backward);
    EXPECT_GT(std::set<int32_t>(forward.begin(), forward.end()).size(), 10u);
}

TEST(Sampler, DrawsWithTheProbabilitiesOfTheModel) {
    const std::vector<float> logits = {0, 1, 2, 3};
    const Sampling s{.temperature = 0.8, .seed = 5};
    constexpr int n = 20000;
    std::map<int32_t, int> counts;
    Sampler sampler;
    for (uint64_t i = 0; i < n; ++i) ++counts[sampler.choose(s, logits, {{}, i})];
    for (const auto& [id, logit, p] : distribution(s, logits, {})) {
        const double deviation = std::sqrt(p * (1 - p) / n);
        EXPECT_NEAR(counts[id] / static_cast<double>(n), p, 5 * deviation) << "token " << id;
    }
}

TEST(Sampler, ExtremesStayDefined) {
    const std::vector<float> equal(1000, 7.0f);
    std::vector<float> huge(1000, -std::numeric_limits<float>::max());
    huge[17] = std::numeric_limits<float>::max();
    for (const double temperature : {1e-300, 1e-6, 1.0, 100.0}) {
        const Sampling s{.temperature = temperature};
        EXPECT_EQ(Sampler().choose(s, huge, {{}, 3}), 17);
        const int32_t id = Sampler().choose(s, equal, {{}, 3});
        EXPECT_TRUE(id >= 0 && id < 1000);
    }
    EXPECT_EQ(Sampler().choose({.temperature = 5, .top_k = 1}, huge, {{}, 0}), 17);
    EXPECT_EQ(Sampler().choose({.temperature = 5, .top_p = 0}, huge, {{}, 0}), 17);
    EXPECT_EQ(Sampler().choose({.temperature = 5, .min_p = 1}, huge, {{}, 0}), 17);
    EXPECT_EQ(Sampler().choose({.temperature = 5, .typical_p = 0}, huge, {{}, 0}), 17);
}

TEST(Sampler, FindsNonFiniteLogits) {
    EXPECT_TRUE(all_finite(std::vector<float>{0, -1e38f, 1e38f}));
    for (const float bad :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()})
        EXPECT_FALSE(all_finite(std::vector<float>{0, bad, 1}));
}

TEST(Sampler, LogprobsAreOfTheModelsDistribution) {
    const std::vector<float> logits = {std::log(1.0f), std::log(4.0f), std::log(2.0f), std::log(1.0f)};
    const auto probs = logprobs_of(logits, 2, 3);
    ASSERT_EQ(probs.size(), 4u);
    const int32_t ids[] = {2, 1, 2, 0};
    const double expected[] = {0.25, 0.5, 0.25, 0.125};
    for (size_t i = 0; i < 4; ++i) {
        EXPECT_EQ(probs[i].id, ids[i]);
        EXPECT_NEAR(std::exp(probs[i].logprob), expected[i], 1e-6);  // the logits are rounded to float
    }
    EXPECT_EQ(logprobs_of(logits, 0, 0).size(), 1u);
    EXPECT_EQ(logprobs_of(logits, 0, 20).size(), 5u);
}

}  // namespace
}  // namespace kylin
