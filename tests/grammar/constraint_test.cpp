// Masks against their definition: a token may come next exactly if the matcher accepts its bytes.
#include "grammar/constraint.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/error.h"
#include "base/random.h"
#include "grammar/answers.h"
#include "small_vocabulary.h"
#include "walk.h"

namespace kylin::grammar {
namespace {

const SmallVocabulary& vocabulary() {
    static const SmallVocabulary v;
    return v;
}

TokenMask mask_by_definition(const Constraint& constraint, const Matcher& matcher) {
    TokenMask mask(constraint.n_tokens());
    for (int32_t id = 0; id < static_cast<int32_t>(constraint.n_tokens()); ++id) {
        Matcher copy = matcher;
        if (constraint.accept(copy, id)) mask.add(id);
    }
    return mask;
}

// Walks at random and compares every mask on the way.
void check_masks(const Constraint& constraint, Random& random, int n_tokens) {
    Matcher matcher = constraint.start();
    for (int i = 0; i < n_tokens; ++i) {
        const TokenMask mask = constraint.mask(matcher);
        RC_ASSERT(mask == mask_by_definition(constraint, matcher));
        RC_ASSERT(!mask.allows(static_cast<size_t>(vocabulary().control)));
        RC_ASSERT(mask.allows(static_cast<size_t>(vocabulary().end)) == matcher.may_end());
        std::vector<int32_t> allowed;
        mask.for_each([&](size_t id) { allowed.push_back(static_cast<int32_t>(id)); });
        const int32_t token = allowed[random.below(allowed.size())];
        if (token == vocabulary().end) return;
        RC_ASSERT(constraint.accept(matcher, token));
    }
}

// Rules that call each other, with everything that an expression can be.
class RandomGrammar {
public:
    explicit RandomGrammar(Random& random) : random_(random), grammar_(limits()) {
        for (int i = 0; i < 4; ++i) rules_.push_back(grammar_.declare());
        for (const RuleId rule : rules_) {
            const Expr base = grammar_.literal(word());  // so that most can be completed
            grammar_.define(rule, grammar_.choice({base, grammar_.sequence({grammar_.literal(word()), expression(3)})}));
        }
        grammar_.set_root(rules_.front());
    }
    Grammar take() { return std::move(grammar_); }

private:
    Limits limits() {
        Limits some;
        some.match_depth = 2 + static_cast<uint32_t>(random_.below(6));
        return some;
    }
    std::string word() {
        constexpr std::string_view words[] = {"a", "b", "ab", "\"", "{", "}", "aaaa", "\xC3\xA9", "12", "xyz", "\xFF<tool_call>"};
        return std::string(words[random_.below(std::size(words))]);
    }
    Expr wide() { return grammar_.characters({{'!', '!'}, {'#', 'Z'}, {'a', 0x10FFFF}}); }
    Expr expression(int depth) {
        Grammar& g = grammar_;
        switch (random_.below(depth == 0 ? 3 : 9)) {
            case 0:
                return g.literal(word());
            case 1:
                return wide();
            case 2:
                return g.call(rules_[random_.below(rules_.size())]);
            case 3:
                return g.sequence({g.literal(word()), expression(depth - 1), expression(depth - 1)});
            case 4:
                return g.choice({expression(depth - 1), expression(depth - 1)});
            case 5:
                return g.repeat(expression(depth - 1), 0, unlimited);
            case 6:
                return g.sequence({g.literal("\""), g.repeat(wide(), static_cast<uint32_t>(random_.below(40)), 40), g.literal("\"")});
            case 7: {
                const auto min = static_cast<uint32_t>(random_.below(4));
                return g.sequence(
                    {g.repeat(expression(depth - 1), min, min + static_cast<uint32_t>(random_.below(200))), g.literal(word())});
            }
            default: {
                Graph graph{.n_states = 3,
                            .edges = {{0, expression(depth - 1), 1}, {1, g.literal(word()), 0}, {1, expression(depth - 1), 2}}};
                return g.graph(std::move(graph));
            }
        }
    }

    Random& random_;
    Grammar grammar_;
    std::vector<RuleId> rules_;
};

RC_GTEST_PROP(Constraint, MasksAreWhatTheMatcherAccepts, (uint64_t seed)) {
    Random random(seed);
    std::optional<Constraint> constraint;
    try {
        constraint.emplace(compile(RandomGrammar(random).take()), vocabulary().masks);
    } catch (const InputError&) {
        RC_DISCARD("no text, or it begins with itself");
    }
    try {
        check_masks(*constraint, random, 25);
    } catch (const InputError& e) {
        // Grammars made at random are ambiguous beyond what schemas are; that it runs out of tokens is never among the reasons.
        RC_ASSERT(std::string(e.what()).find("no token") == std::string::npos);
    }
}

class OfSchemas : public testing::TestWithParam<const char*> {};

TEST_P(OfSchemas, MasksAreWhatTheMatcherAccepts) {
    for (const Thoughts thoughts : {Thoughts::none, Thoughts::possible, Thoughts::open}) {
        const Constraint constraint(compile(json_schema_answer(Json::parse(GetParam()), "schema", thoughts)), vocabulary().masks);
        for (uint64_t seed = 0; seed < 5; ++seed) {
            Random random(seed);
            check_masks(constraint, random, 60);
        }
    }
}

INSTANTIATE_TEST_SUITE_P(
    Masks, OfSchemas,
    testing::Values(
        "{}", R"({"type": "string"})", R"({"type": "string", "minLength": 3, "maxLength": 12})", R"({"type": "string", "minLength": 3})",
        R"({"type": "string", "pattern": "^[a-z ]{2,9}$"})", R"({"enum": ["a", "ab", 1, null]})",
        R"({"type": "array", "items": {"type": "string", "maxLength": 4}, "minItems": 2, "maxItems": 300})",
        R"({"type": "object", "properties": {"name": {"type": "string"}, "na": {}}, "additionalProperties": {"type": "number"}})",
        R"({"$ref": "#/$defs/n", "$defs": {"n": {"type": "array", "items": {"$ref": "#/$defs/n"}}}})"));

// The masks of strings are kept for all grammars, so they must not depend on which came first.
TEST(Constraint, SharesMasksBetweenGrammarsOfDifferentLimits) {
    const SmallVocabulary fresh;
    for (const char* schema : {R"({"type": "string", "maxLength": 9})", R"([{"type": "string", "minLength": 7, "maxLength": 300}])",
                               R"({"type": "string", "minLength": 2})", R"({"type": "string", "maxLength": 3})"}) {
        Json json = Json::parse(schema);
        if (json.is_array()) json = {{"type", "array"}, {"items", json[0]}};
        const Constraint constraint(compile(json_schema_answer(json, "schema", Thoughts::none)), fresh.masks);
        for (uint64_t seed = 0; seed < 5; ++seed) {
            Random random(seed);
            check_masks(constraint, random, 60);
        }
    }
}

TEST(Constraint, NeedsTheDepthThatIsLeft) {
    Limits limits;
    limits.match_depth = 12;
    const Json nested = Json::parse(R"({"type": "array", "items": {"$ref": "#"}, "minItems": 0})");
    const Constraint constraint(compile(json_schema_answer(nested, "schema", Thoughts::none, limits)), vocabulary().masks);
    Matcher matcher = constraint.start();
    const int32_t bracket = '[', two = static_cast<int32_t>(std::find(vocabulary().tokens.begin(), vocabulary().tokens.end(), "[[") -
                                                            vocabulary().tokens.begin());
    int depth = 0;
    for (; constraint.mask(matcher).allows('['); ++depth) {
        EXPECT_EQ(constraint.mask(matcher), mask_by_definition(constraint, matcher));
        ASSERT_TRUE(constraint.accept(matcher, bracket));
    }
    EXPECT_GT(depth, 4);
    EXPECT_FALSE(constraint.accept(matcher, two));
    EXPECT_TRUE(constraint.mask(matcher).allows(']'));
}

TEST(Constraint, EndsOnlyWhereTheGrammarMay) {
    const Constraint constraint(compile(json_schema_answer(Json::parse(R"({"type": "integer"})"), "schema", Thoughts::none)),
                                vocabulary().masks);
    const auto end = static_cast<size_t>(vocabulary().end);
    Matcher matcher = constraint.start();
    EXPECT_FALSE(constraint.mask(matcher).allows(end));
    EXPECT_FALSE(constraint.accept(matcher, vocabulary().end));
    ASSERT_TRUE(constraint.accept(matcher, '7'));
    EXPECT_TRUE(constraint.mask(matcher).allows(end));
    EXPECT_TRUE(constraint.mask(matcher).allows('5'));
    EXPECT_TRUE(constraint.accept(matcher, vocabulary().end));
    for (const int32_t never : {-1, 255, vocabulary().control, 1 << 20}) EXPECT_FALSE(constraint.accept(matcher, never)) << never;
}

TEST(Constraint, RefusesAVocabularyThatCannotGoOn) {
    const std::vector<std::string> only_braces = {"{", "}"};
    const auto masks = std::make_shared<const MaskCache>(TokenTrie(only_braces, {}));
    const Constraint constraint(compile(json_schema_answer(Json::parse(R"({"type": "string"})"), "schema", Thoughts::none)), masks);
    EXPECT_THROW(constraint.mask(constraint.start()), InputError);
}

TEST(TokenTrie, ListsEveryTokenUnderItsSpelling) {
    const TokenTrie& trie = vocabulary().masks->trie();
    size_t n_listed = 0, n_spelled = 0;
    std::string path;
    for (size_t i = 0; i < trie.size(); ++i) {
        path.resize(trie.node(i).depth);
        path += static_cast<char>(trie.node(i).byte);
        for (const int32_t id : trie.tokens(i)) {
            EXPECT_EQ(trie.spelled(id), path);
            ++n_listed;
        }
        EXPECT_GT(trie.node(i).end, i);
    }
    for (const std::string& token : vocabulary().tokens) n_spelled += token.empty() ? 0u : 1u;
    EXPECT_EQ(n_listed, n_spelled);
}

}  // namespace
}  // namespace kylin::grammar
