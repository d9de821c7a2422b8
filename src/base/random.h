// A small random number generator that gives the same numbers on every machine, which the standard distributions do not.
#pragma once
#include <cstdint>

namespace kylin {

// SplitMix64.
class Random {
public:
    explicit Random(uint64_t seed) : state_(seed) {}
    uint64_t next() {
        uint64_t z = (state_ += 0x9E3779B97F4A7C15u);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        return z ^ (z >> 31);
    }
    uint64_t below(uint64_t n) { return next() % n; }                         // the bias is n / 2^64
    double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }  // [0, 1)
    // Bell-shaped, mean 0, variance 1, within +-3.5: the sum of four uniforms, exact and free of libm.
    float bell() {
        const uint64_t bits = next();
        int sum = 0;
        for (int shift = 0; shift < 64; shift += 16) sum += static_cast<int>((bits >> shift) & 0xFFFF);
        return static_cast<float>(sum - 2 * 65535) * (1.7320508f / 65536.0f);
    }

private:
    uint64_t state_;
};

}  // namespace kylin
