#include "grammar/budget.h"

#include <fmt/format.h>

#include "base/error.h"

namespace kylin::grammar {

void Budget::spend(uint64_t steps, std::string_view where) {
    spent_ += steps;
    if (spent_ > limits_.fuel) throw InputError(std::string(where), fmt::format("takes more than {} steps to compile", limits_.fuel));
}

void Budget::add_rule(std::string_view where) {
    if (++n_rules_ > limits_.n_rules) throw InputError(std::string(where), fmt::format("needs more than {} rules", limits_.n_rules));
}

void Budget::add_states(size_t n, std::string_view where) {
    n_states_ += n;
    check_states(n_states_, where);
}

void Budget::check_states(size_t n, std::string_view where) const {
    if (n > limits_.n_states) throw InputError(std::string(where), fmt::format("needs more than {} states", limits_.n_states));
}

}  // namespace kylin::grammar
