// Python's operators on values.
#pragma once
#include <optional>

#include "text/jinja/ast.h"
#include "text/jinja/run.h"

namespace kylin::jinja {

struct SliceParts {
    std::optional<int64_t> start, stop, step;
};

// Not for `and` and `or`, which do not always look at their right side.
Value compute(Operator op, const Value& left, const Value& right, Run& run);
bool compare(Comparator comparator, const Value& left, const Value& right, Run& run);
Value signed_number(Sign sign, const Value& value, Run& run);
Value slice(const Value& object, const SliceParts& parts, Run& run);

}  // namespace kylin::jinja
