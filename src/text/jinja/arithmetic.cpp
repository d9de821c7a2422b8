// Numbers as Python has them, but for integers beyond 64 bits, which fail.
#include "text/jinja/arithmetic.h"

#include <algorithm>
#include <cmath>

#include "text/jinja/builtins.h"
#include "text/jinja/python_text.h"
#include "text/jinja/text_operations.h"

namespace kylin::jinja {
namespace {

[[noreturn]] void fail_types(const Value& left, const Value& right, Run& run) {
    if (const Undefined* u = left.as_undefined()) run.fail("'" + u->name + "' is undefined");
    if (const Undefined* u = right.as_undefined()) run.fail("'" + u->name + "' is undefined");
    run.fail("the operator does not take values of types " + std::string(left.type_name()) + " and " + std::string(right.type_name()));
}

int64_t integer_power(int64_t base, int64_t exponent, Run& run) {
    int64_t result = 1;
    for (; exponent > 0; --exponent) {
        run.spend(1);
        if (__builtin_mul_overflow(result, base, &result)) run.fail("a number is too large");
    }
    return result;
}

Value compute_integers(Operator op, int64_t a, int64_t b, Run& run) {
    int64_t result = 0;
    bool overflow = false;
    switch (op) {
        case Operator::add:
            overflow = __builtin_add_overflow(a, b, &result);
            break;
        case Operator::subtract:
            overflow = __builtin_sub_overflow(a, b, &result);
            break;
        case Operator::multiply:
            overflow = __builtin_mul_overflow(a, b, &result);
            break;
        case Operator::power:
            if (b < 0) return Value(std::pow(static_cast<double>(a), static_cast<double>(b)));
            return Value(integer_power(a, b, run));
        default: {
            if (b == 0) run.fail("division by zero");
            if (op == Operator::divide) return Value(static_cast<double>(a) / static_cast<double>(b));
            if (b == -1) {
                overflow = op == Operator::floor_divide && __builtin_sub_overflow(int64_t{0}, a, &result);
                break;
            }
            // Python rounds towards minus infinity.
            const bool rounds_down = a % b != 0 && (a < 0) != (b < 0);
            if (op == Operator::floor_divide)
                result = a / b - (rounds_down ? 1 : 0);
            else
                result = a % b + (rounds_down ? b : 0);
        }
    }
    if (overflow) run.fail("a number is too large");
    return Value(result);
}

Value compute_floats(Operator op, double a, double b, Run& run) {
    switch (op) {
        case Operator::add:
            return Value(a + b);
        case Operator::subtract:
            return Value(a - b);
        case Operator::multiply:
            return Value(a * b);
        case Operator::power:
            return Value(std::pow(a, b));
        default:
            break;
    }
    if (b == 0) run.fail("division by zero");
    if (op == Operator::divide) return Value(a / b);
    if (op == Operator::floor_divide) return Value(std::floor(a / b));
    return Value(a - b * std::floor(a / b));
}

Value add_sequences(const Value& left, const Value& right, Run& run) {
    if (left.as_text() && right.as_text()) {
        run.spend_bytes(left.as_text()->size() + right.as_text()->size());
        Text sum = *left.as_text();
        sum += *right.as_text();
        return sum;
    }
    if (left.as_list() && right.as_list() && left.as_list()->is_tuple == right.as_list()->is_tuple) {
        run.spend(left.width() + right.width());
        List sum = *left.as_list();
        sum.items.insert(sum.items.end(), right.as_list()->items.begin(), right.as_list()->items.end());
        return sum;
    }
    fail_types(left, right, run);
}

Value multiply_sequence(const Value& sequence, int64_t times, Run& run) {
    if (sequence.as_text()) return repeat(*sequence.as_text(), times, run);
    List out{{}, sequence.as_list()->is_tuple};
    for (int64_t i = 0; i < times && !sequence.as_list()->items.empty(); ++i) {
        run.spend(sequence.width());
        out.items.insert(out.items.end(), sequence.as_list()->items.begin(), sequence.as_list()->items.end());
    }
    return out;
}

bool ordered_less(const Value& left, const Value& right, Run& run) {
    const auto result = less(left, right);
    if (!result) fail_types(left, right, run);
    return *result;
}

}  // namespace

Value compute(Operator op, const Value& left, const Value& right, Run& run) {
    if (op == Operator::concatenate) return add_sequences(print(left, run), print(right, run), run);
    if (left.integer() && right.integer()) return compute_integers(op, *left.integer(), *right.integer(), run);
    if (left.number() && right.number()) return compute_floats(op, *left.number(), *right.number(), run);
    if (op == Operator::add) return add_sequences(left, right, run);
    if (op == Operator::multiply) {
        if ((left.as_text() || left.as_list()) && right.integer()) return multiply_sequence(left, *right.integer(), run);
        if ((right.as_text() || right.as_list()) && left.integer()) return multiply_sequence(right, *left.integer(), run);
    }
    fail_types(left, right, run);
}

bool compare(Comparator comparator, const Value& left, const Value& right, Run& run) {
    switch (comparator) {
        case Comparator::equal:
            return same(left, right, run);
        case Comparator::not_equal:
            return !same(left, right, run);
        case Comparator::less:
            return ordered_less(left, right, run);
        case Comparator::less_equal:
            return ordered_less(left, right, run) || same(left, right, run);
        case Comparator::greater:
            return ordered_less(right, left, run);
        case Comparator::greater_equal:
            return ordered_less(right, left, run) || same(left, right, run);
        case Comparator::in:
            return contains(right, left, run);
        case Comparator::not_in:
            return !contains(right, left, run);
    }
    run.fail("unknown comparison");
}

Value signed_number(Sign sign, const Value& value, Run& run) {
    if (const auto n = value.integer()) return compute_integers(sign == Sign::minus ? Operator::subtract : Operator::add, 0, *n, run);
    if (const auto x = value.number()) return Value(sign == Sign::minus ? -*x : *x);
    fail_types(value, value, run);
}

Value slice(const Value& object, const SliceParts& parts, Run& run) {
    if (!object.as_list() && !object.as_text()) fail_types(object, object, run);
    const List items = iterate(object, run);
    const auto n = static_cast<int64_t>(items.items.size());
    // Steps beyond the length reach nothing more, and stay clear of overflow.
    const int64_t step = std::clamp(parts.step.value_or(1), -n - 1, n + 1);
    if (parts.step == 0) run.fail("the step of a slice is zero");
    const int64_t lowest = step < 0 ? -1 : 0, highest = step < 0 ? n - 1 : n;
    const auto bound = [&](std::optional<int64_t> at, int64_t otherwise) {
        return at ? std::clamp(*at < 0 ? *at + n : *at, lowest, highest) : otherwise;
    };
    const int64_t start = bound(parts.start, step < 0 ? highest : lowest), stop = bound(parts.stop, step < 0 ? lowest : highest);
    List chosen{{}, items.is_tuple};
    for (int64_t i = start; step > 0 ? i < stop : i > stop; i += step) chosen.items.push_back(items.items[static_cast<size_t>(i)]);
    return object.as_text() ? Value(join(chosen, {}, run)) : Value(std::move(chosen));
}

}  // namespace kylin::jinja
