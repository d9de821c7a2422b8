#include "grammar/matcher.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace kylin::grammar {
namespace {

// A grammar with one rule that `make` writes; it may call itself.
template <class Make>
std::shared_ptr<const Program> program(Make make, const Limits& limits = {}) {
    Grammar g(limits);
    const RuleId root = g.declare();
    g.define(root, make(g, root));
    g.set_root(root);
    return std::make_shared<const Program>(compile(std::move(g)));
}

template <class Make>
std::string refusal(Make make, const Limits& limits = {}) {
    try {
        program(make, limits);
    } catch (const InputError& e) {
        return e.what();
    }
    return "accepted";
}

bool reads(const std::shared_ptr<const Program>& p, std::string_view text) {
    Matcher matcher(p);
    return matcher.accept(text) && matcher.may_end();
}

TEST(Matcher, FollowsExpressions) {
    const auto p = program([](Grammar& g, RuleId) {
        return g.sequence(
            {g.literal("x"), g.repeat(g.choice({g.literal("ab"), g.characters({{0xE9, 0xE9}})}), 1, 3), g.optional(g.literal("!"))});
    });
    EXPECT_TRUE(reads(p, "xab"));
    EXPECT_TRUE(reads(p,
                      "xab\xC3\xA9"
                      "ab!"));
    EXPECT_FALSE(reads(p, "x"));
    EXPECT_FALSE(reads(p, "xabababab"));
    EXPECT_FALSE(reads(p, "xab\xC3"));
    EXPECT_FALSE(reads(p, "xab!!"));
}

TEST(Matcher, RefusesBytesWithoutAChange) {
    const auto p = program([](Grammar& g, RuleId) { return g.literal("abc"); });
    Matcher matcher(p);
    EXPECT_TRUE(matcher.accept("a"));
    EXPECT_FALSE(matcher.accept("bx"));
    EXPECT_TRUE(matcher.accept("b"));
    EXPECT_FALSE(matcher.may_end());
    const Matcher draft = matcher;
    EXPECT_TRUE(matcher.accept("c"));
    EXPECT_TRUE(matcher.must_end());
    EXPECT_FALSE(draft.may_end());
    EXPECT_FALSE(matcher.accept("c"));
}

TEST(Matcher, NestsRules) {
    // S = "(" S ")" | "x" S | "y"
    const auto p = program([](Grammar& g, RuleId s) {
        return g.choice({g.sequence({g.literal("("), g.call(s), g.literal(")")}), g.sequence({g.literal("x"), g.call(s)}), g.literal("y")});
    });
    EXPECT_TRUE(reads(p, "((x(y)))"));
    EXPECT_FALSE(reads(p, "((x(y))"));
    EXPECT_FALSE(reads(p, "((x(y))))"));
}

TEST(Matcher, CountsLargeRepetitions) {
    const auto p = program([](Grammar& g, RuleId) {
        return g.sequence(
            {g.literal("<"), g.repeat(g.sequence({g.literal("a"), g.optional(g.literal("b"))}), 1000, 1'000'000'000), g.literal(">")});
    });
    EXPECT_LT(p->nodes.size(), 20u);
    std::string text = "<";
    for (int i = 0; i < 999; ++i) text += i % 2 == 0 ? "a" : "ab";
    EXPECT_FALSE(reads(p, text + ">"));
    EXPECT_TRUE(reads(p, text + "a>"));
    EXPECT_TRUE(reads(p, text + std::string(5000, 'a') + ">"));

    const auto few = program([](Grammar& g, RuleId) { return g.repeat(g.literal("abcdefghijklmnopqrstuvwxyz"), 0, 6); });
    std::string six;
    for (int i = 0; i < 6; ++i) {
        EXPECT_TRUE(reads(few, six));
        six += "abcdefghijklmnopqrstuvwxyz";
    }
    EXPECT_TRUE(reads(few, six));
    EXPECT_FALSE(reads(few, six + "a"));
}

TEST(Matcher, CountsBodiesThatMayBeEmptyOrAmbiguous) {
    const auto nullable = program([](Grammar& g, RuleId) { return g.repeat(g.repeat(g.literal("ab"), 0, unlimited), 500, 600); });
    EXPECT_TRUE(reads(nullable, ""));
    EXPECT_TRUE(reads(nullable, "abab"));
    const auto ambiguous = program([](Grammar& g, RuleId) {
        return g.sequence({g.repeat(g.choice({g.literal("a"), g.literal("aa")}), 100, 200), g.literal(".")});
    });
    EXPECT_FALSE(reads(ambiguous, std::string(99, 'a') + "."));
    EXPECT_TRUE(reads(ambiguous, std::string(100, 'a') + "."));
    EXPECT_TRUE(reads(ambiguous, std::string(400, 'a') + "."));
    EXPECT_FALSE(reads(ambiguous, std::string(401, 'a') + "."));
}

// Each level can be read in two ways, so there are 2^depth of them.
TEST(Matcher, ReadsAmbiguousTextsWithoutTryingEveryWay) {
    const auto p = program([](Grammar& g, RuleId s) {
        const auto level = [&](const char* end) { return g.sequence({g.literal("("), g.call(s), g.literal(end)}); };
        return g.choice({level(")"), level(")"), g.sequence({level(")"), g.optional(g.literal("!"))}), g.literal("y")});
    });
    Matcher matcher(p);
    EXPECT_TRUE(matcher.accept(std::string(60, '(')));
    EXPECT_LT(matcher.readings().items.size(), 10u);
    EXPECT_TRUE(matcher.accept("y" + std::string(60, ')')));
    EXPECT_TRUE(matcher.may_end());
}

TEST(Matcher, KeepsToItsDepthAndNeverGetsStuckThere) {
    Limits limits;
    limits.match_depth = 10;
    // A value is a list of values or "0"; a list needs one value at least.
    const auto p = program(
        [](Grammar& g, RuleId s) {
            return g.choice({g.sequence({g.literal("["), g.repeat(g.call(s), 1, unlimited), g.literal("]")}), g.literal("0")});
        },
        limits);
    Matcher matcher(p);
    int depth = 0;
    while (matcher.accept("[")) ++depth;
    EXPECT_GE(depth, 8);
    EXPECT_LE(depth, 10);
    EXPECT_TRUE(matcher.accept("0"));
    EXPECT_TRUE(matcher.accept(std::string(static_cast<size_t>(depth), ']')));
    EXPECT_TRUE(matcher.must_end());
}

TEST(Compile, RefusesWhatHasNoText) {
    EXPECT_EQ(refusal([](Grammar& g, RuleId) { return g.never(); }), "grammar: no value can satisfy it");
    EXPECT_EQ(refusal([](Grammar& g, RuleId s) { return g.sequence({g.literal("x"), g.call(s)}); }), "grammar: no value can satisfy it");
    EXPECT_EQ(refusal([](Grammar& g, RuleId s) {
                  return g.choice({g.literal("x"), g.sequence({g.call(s), g.literal("y")})});
              }),
              "grammar: begins with itself");
    EXPECT_EQ(refusal([](Grammar& g, RuleId) { return g.empty(); }), "accepted");
}

TEST(Compile, DropsChoicesThatLeadNowhere) {
    const auto p = program([](Grammar& g, RuleId s) {
        const Expr endless = g.sequence({g.literal("a"), g.call(s), g.never()});
        return g.choice({endless, g.literal("ab")});
    });
    Matcher matcher(p);
    EXPECT_TRUE(matcher.accept("a"));
    EXPECT_FALSE(matcher.accept("a"));
    EXPECT_TRUE(matcher.accept("b"));
}

TEST(Compile, KeepsToItsBudgets) {
    const auto nested = [](Grammar& g, RuleId) {
        Expr e = g.literal("a");
        for (int i = 0; i < 5; ++i) e = g.repeat(g.sequence({g.literal("x"), e}), 0, 100);
        return e;
    };
    EXPECT_EQ(refusal(nested), "accepted");  // counted
    Limits few_states;
    few_states.n_states = 100;
    EXPECT_EQ(refusal([](Grammar& g, RuleId) { return g.literal(std::string(200, 'x')); }, few_states),
              "grammar: needs more than 100 states");
    Limits little_fuel;
    little_fuel.fuel = 300;
    EXPECT_EQ(refusal([](Grammar& g, RuleId) { return g.literal(std::string(200, 'x')); }, little_fuel),
              "grammar: takes more than 300 steps to compile");
    Limits two_rules;
    two_rules.n_rules = 2;
    EXPECT_EQ(refusal(nested, two_rules), "grammar: needs more than 2 rules");
}

TEST(Matcher, RefusesTextsThatCanBeReadInTooManyWays) {
    Limits limits;
    limits.match_items = 20;
    Grammar g(limits);
    std::vector<Expr> options;
    for (int i = 0; i < 50; ++i) {
        const RuleId rule = g.declare();
        g.define(rule, g.sequence({g.literal("aa"), g.literal(std::to_string(i))}));
        options.push_back(g.call(rule));
    }
    const RuleId root = g.declare();
    g.define(root, g.choice(std::move(options)));
    g.set_root(root);
    const auto p = std::make_shared<const Program>(compile(std::move(g)));
    EXPECT_THROW(Matcher matcher(p), InputError);
}

}  // namespace
}  // namespace kylin::grammar
