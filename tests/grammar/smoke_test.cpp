#include <gtest/gtest.h>
#include <iostream>

#include "base/error.h"
#include "base/random.h"
#include "grammar/answers.h"
#include "grammar/constraint.h"
#include "small_vocabulary.h"
namespace kylin::grammar {
std::string walk(const Constraint& c, const SmallVocabulary& v, uint64_t seed) {
    Random random(seed);
    Matcher m = c.start();
    std::string text;
    for (int i = 0; i < 3000; ++i) {
        TokenMask mask = c.mask(m);
        // brute force
        for (size_t id = 0; id < v.tokens.size(); ++id) {
            Matcher copy = m;
            bool ok = c.accept(copy, static_cast<int32_t>(id));
            if (ok != mask.allows(id)) {
                std::cout << "MISMATCH " << id << " '" << v.tokens[id] << "' mask " << mask.allows(id) << " after " << text << "\n";
                return "BAD";
            }
        }
        std::vector<int32_t> ids;
        mask.for_each([&](size_t id) { ids.push_back(static_cast<int32_t>(id)); });
        int32_t pick = ids[random.below(ids.size())];
        if (i > 60) {
            for (auto s : {"", "\"", "}", "]"}) {
                bool found = false;
                for (auto id : ids)
                    if (v.tokens[static_cast<size_t>(id)] == s) {
                        pick = id;
                        found = true;
                        break;
                    }
                if (found) break;
            }
        }
        if (pick == v.end) return text;
        EXPECT_TRUE(c.accept(m, pick));
        text += v.tokens[static_cast<size_t>(pick)];
    }
    return "LONG " + text;
}
TEST(Smoke, Walks) {
    SmallVocabulary v;
    for (
        const char* s :
        {R"({"type":"object","properties":{"name":{"type":"string"},"n":{"type":"integer","minimum":3,"maximum":250}},"required":["n"]})",
         R"({"type":"array","items":{"type":"string","minLength":2,"maxLength":40},"minItems":2,"maxItems":300})",
         R"({"enum":["a","ab",1,null,{"x":[1,2]}]})", R"({"type":"string","pattern":"^[a-z]{2,5}-\\d+$"})",
         R"({"type":"string","format":"date-time"})", R"({"type":"number","minimum":-2.5,"exclusiveMaximum":10})",
         R"({"$ref":"#/$defs/n","$defs":{"n":{"type":"object","properties":{"v":{"type":"number"},"next":{"anyOf":[{"$ref":"#/$defs/n"},{"type":"null"}]}},"required":["v","next"]}}})",
         "{}", R"({"type":"object","additionalProperties":{"type":"boolean"},"properties":{"a":{}}})"}) {
        try {
            Constraint c(compile(json_schema_answer(Json::parse(s), "schema", Thoughts::none)), v.masks);
            std::cout << s << " nodes " << c.program().nodes.size() << " rules " << c.program().rules.size() << "\n";
            for (uint64_t seed = 0; seed < 4; ++seed) std::cout << "   " << walk(c, v, seed).substr(0, 200) << "\n";
        } catch (const InputError& e) {
            std::cout << "ERR " << e.what() << "\n";
        }
    }
    Json p = Json::parse(R"({"type":"object","properties":{"city":{"type":"string"}},"required":["city"]})");
    std::vector<Tool> tools = {{"get_weather", &p, "tools[0]"}, {"get_time", nullptr, "tools[1]"}};
    Constraint c(compile(tool_calls_answer(tools, 3, Thoughts::possible)), v.masks);
    for (uint64_t seed = 0; seed < 4; ++seed) std::cout << "   " << walk(c, v, seed).substr(0, 300) << "\n";
}
}  // namespace kylin::grammar
