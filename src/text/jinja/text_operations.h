// What Python's str can do, on text that knows its origins.
#pragma once
#include <optional>
#include <vector>

#include "text/jinja/run.h"
#include "text/jinja/value.h"

namespace kylin::jinja {

// White space, or the given characters, at the chosen ends.
Text strip(const Text& text, const Text* characters, bool left, bool right);
// At each separator, or at runs of white space, `limit` times at most from the left (or the right).
List split(const Text& text, const Text* separator, std::optional<int64_t> limit, Run& run);
List split_right(const Text& text, const Text* separator, std::optional<int64_t> limit, Run& run);
List split_lines(const Text& text, bool keep_ends, Run& run);
Text join(const List& items, const Text& separator, Run& run);
Text replace(const Text& text, const Text& old, const Text& with, std::optional<int64_t> limit, Run& run);
Text repeat(const Text& text, int64_t times, Run& run);
Text indent(const Text& text, const Text& prefix, bool first, bool blank, Run& run);

Text lower(const Text& text);
Text upper(const Text& text);
// The first letter of each word large, the others small; with one word, Python's capitalize().
Text title(const Text& text);
Text capitalize(const Text& text);

}  // namespace kylin::jinja
