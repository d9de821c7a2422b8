// Splits an answer that arrives in pieces into its thoughts and what follows: "<think>\n…\n</think>\n\n…".
// Only at the beginning of an answer; later the same words are text like any other.
#pragma once
#include <string>
#include <string_view>

namespace kylin::server {

class ThinkSplitter {
public:
    struct Parts {
        std::string reasoning, content;
    };
    // `inside`: the template has already opened the thoughts.
    explicit ThinkSplitter(bool inside = false) : state_(inside ? State::thinking_begins : State::undecided) {}
    Parts push(std::string_view text);
    Parts finish();  // what was held back because it could have become a tag or the blank lines around one

private:
    enum class State : unsigned char { undecided, thinking_begins, thinking, content_begins, content };
    void advance(Parts& parts, bool last);
    void think(Parts& parts, bool last);
    State state_;
    std::string held_;
};

}  // namespace kylin::server
