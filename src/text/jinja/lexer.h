// Cuts a template into tokens, and its text as transformers configures Jinja: trim_blocks, lstrip_blocks, and the signs of {%- -%}.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace kylin::jinja {

struct Token {
    enum Kind { data, block_begin, block_end, variable_begin, variable_end, name, string, integer, floating, op, end };
    Kind kind;
    std::string text;  // strings without quotes and escapes; numbers without underscores
    size_t line;
};

// The last token is `end`. Throws InputError.
std::vector<Token> tokenize(std::string_view source);

}  // namespace kylin::jinja
