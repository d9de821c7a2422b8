// Unsigned 64-bit arithmetic for sizes that come from a file: overflow is remembered, never wraps.
#pragma once
#include <cstdint>
#include <optional>

namespace kylin {

class Checked {
public:
    constexpr Checked(uint64_t value) : value_(value) {}

    friend constexpr Checked operator+(Checked a, Checked b) {
        Checked sum(0);
        sum.overflowed_ = __builtin_add_overflow(a.value_, b.value_, &sum.value_) || a.overflowed_ || b.overflowed_;
        return sum;
    }
    friend constexpr Checked operator*(Checked a, Checked b) {
        Checked product(0);
        product.overflowed_ = __builtin_mul_overflow(a.value_, b.value_, &product.value_) || a.overflowed_ || b.overflowed_;
        return product;
    }
    // The next multiple of `step`, which is not 0.
    constexpr Checked rounded_up(uint64_t step) const {
        const uint64_t rest = value_ % step;
        return rest == 0 ? *this : *this + (step - rest);
    }

    // True when nothing overflowed on the way and the result is at most `limit`.
    constexpr bool within(uint64_t limit) const { return !overflowed_ && value_ <= limit; }
    constexpr std::optional<uint64_t> value() const { return overflowed_ ? std::nullopt : std::optional(value_); }

private:
    uint64_t value_;
    bool overflowed_ = false;
};

}  // namespace kylin
