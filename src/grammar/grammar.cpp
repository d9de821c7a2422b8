#include "grammar/grammar.h"

namespace kylin::grammar {

RuleId Grammar::declare() {
    budget_.add_rule(where_);
    rules_.push_back({where_, unlimited});
    return static_cast<RuleId>(rules_.size() - 1);
}

Expr Grammar::add(Expression e) {
    budget_.spend(1, where_);
    expressions_.push_back(std::move(e));
    return static_cast<Expr>(expressions_.size() - 1);
}

}  // namespace kylin::grammar
