// What a grammar may cost, so that no request makes the server slow or large.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace kylin::grammar {

struct Limits {
    size_t n_rules = 4096;
    size_t n_states = 1 << 17;  // of all automata together; an automaton under construction may have as many again
    uint64_t fuel =
        3'000'000;  // elementary steps of reading and compiling: counted, not timed, so that refusals can be reproduced; 75 ms on a Zen 4
    size_t n_references = 64;       // $ref, allOf, anyOf, … that lead from one schema to the next for the same value
    uint32_t match_depth = 256;     // rules inside rules; a JSON value inside another takes two
    size_t match_items = 512;       // ways to read the text so far
    uint64_t match_fuel = 500'000;  // steps for one mask
};

// Counts what compiling costs. Exceeding a limit throws an InputError at `where`, the place in the schema.
class Budget {
public:
    explicit Budget(const Limits& limits) : limits_(limits) {}
    const Limits& limits() const { return limits_; }

    void spend(uint64_t steps, std::string_view where);
    void add_rule(std::string_view where);
    void add_states(size_t n, std::string_view where);
    // For an automaton under construction.
    void check_states(size_t n, std::string_view where) const;

    uint64_t spent() const { return spent_; }

private:
    Limits limits_;
    uint64_t spent_ = 0;
    size_t n_rules_ = 0, n_states_ = 0;
};

}  // namespace kylin::grammar
