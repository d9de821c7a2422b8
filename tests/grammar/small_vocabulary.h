// A vocabulary for tests: every byte, some longer tokens that begin and end where JSON does not, and special tokens.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "grammar/mask_cache.h"

namespace kylin::grammar {

struct SmallVocabulary {
    std::vector<std::string> tokens;
    int32_t end = 0, control = 0, tool_call = 0, think = 0, end_think = 0;
    std::shared_ptr<const MaskCache> masks;

    SmallVocabulary() {
        for (int byte = 0; byte < 255; ++byte) tokens.emplace_back(1, static_cast<char>(byte));
        tokens.emplace_back();  // 0xFF marks special tokens
        for (const char* word :
             {"\"",       "{\"",      "\":",      "\": ",     "\": \"", "\",",    "\", \"", "\"}",   "\"]",  "}}",   "]}",
              "[[",       "[\"",      "{}",       "[]",       "[{",     "}]",     ",\"",    ", ",    ",\n",  "\n  ", "\n    ",
              "  ",       "12",       "123",      "00",       "-1",     "1.5",    ".25",    "e1",    "E+",   "true", "false",
              "null",     "tru",      "nul",      "e,",       "l}",     "name",   "na",     "me\":", "abc",  "ab",   "bc",
              "xyz\"",    "hello",    " world",   "\\n",      "\\\"",   "\\u",    "00e9",   "\\\\",  "\xC3", "\xA9", "\xC3\xA9",
              "\xE2\x82", "\x82\xAC", "\xF0\x9F", "\x98\x80", "a\xE2",  "2024",   "-0",     ":0",    "T1",   "Z\"",  "type",
              "kind",     "<",        "</",       "think>",   "<tool",  "_call>", "\n{\"",  "}\n",   "args", "aaaa", "aaaaaaaa",
              "\"}}",     "\"}]",     "0,",       "1]",       "2}",     "d\":1",  "\"a\"",  "\"b\":"})
            tokens.emplace_back(word);
        control = special("");
        end = special("");
        tool_call = special("\xFF<tool_call>");
        special("\xFF</tool_call>");
        think = special("\xFF<think>");
        end_think = special("\xFF</think>");
        masks = std::make_shared<const MaskCache>(TokenTrie(tokens, std::vector<int32_t>{end}));
    }

private:
    int32_t special(const std::string& spelling) {
        tokens.push_back(spelling);
        return static_cast<int32_t>(tokens.size()) - 1;
    }
};

}  // namespace kylin::grammar
