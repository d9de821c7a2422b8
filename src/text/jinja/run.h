// One rendering of a template: what it may still spend, and where it is.
#pragma once
#include <cstddef>
#include <string>

#include "base/error.h"

namespace kylin::jinja {

// Far above what a real conversation needs, far below what a hostile template would like.
struct Limits {
    size_t steps = 10'000'000;               // one per expression and statement, and one per 16 bytes of text made
    size_t output_bytes = size_t{64} << 20;  // of the whole rendering
    int depth = 1000;                        // of expressions, statements and macros inside each other
    int value_depth = 100;                   // of lists and dicts inside each other
};

class Run {
public:
    explicit Run(const Limits& limits) : limits_(limits) {}

    void spend(size_t steps) {
        if (steps > limits_.steps - spent_) fail("takes too many steps");
        spent_ += steps;
    }
    // For text about to be made.
    void spend_bytes(size_t bytes) { spend(1 + bytes / 16); }

    [[noreturn]] void fail(const std::string& what) const { throw InputError("chat template line " + std::to_string(line_), what); }

    const Limits& limits() const { return limits_; }
    void at_line(size_t line) { line_ = line; }

    // Counts one level of recursion while it lives.
    class Level {
    public:
        explicit Level(Run& run) : run_(run) {
            if (++run_.depth_ > run_.limits_.depth) run_.fail("is nested too deeply");
        }
        ~Level() { --run_.depth_; }
        Level(const Level&) = delete;
        Level& operator=(const Level&) = delete;

    private:
        Run& run_;
    };

private:
    Limits limits_;
    size_t spent_ = 0;
    size_t line_ = 1;
    int depth_ = 0;
};

}  // namespace kylin::jinja
