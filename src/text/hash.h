// Hashes for the flat tables of a vocabulary. The seed keeps a hostile file from choosing collisions.
#pragma once
#include <cstdint>
#include <cstring>
#include <string_view>

namespace kylin {

__extension__ using WideProduct = unsigned __int128;

inline uint64_t mix(uint64_t a, uint64_t b) {
    const WideProduct product = static_cast<WideProduct>(a) * b;
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

class SeededHash {
public:
    SeededHash();  // a seed that nobody can foresee

    uint64_t operator()(uint64_t key) const { return mix(key ^ seed_, odd_); }
    uint64_t operator()(std::string_view text) const {
        const char* p = text.data();
        size_t n = text.size();
        uint64_t h = seed_ ^ n;
        for (; n > 8; p += 8, n -= 8) h = mix(h ^ load<uint64_t>(p), odd_);
        return mix(h ^ tail(p, n), odd_);
    }

private:
    template <class T>
    static T load(const char* p) {
        T value;
        std::memcpy(&value, p, sizeof value);
        return value;
    }
    // The last n <= 8 bytes as one number; two overlapping loads are faster than a copy of unknown length.
    static uint64_t tail(const char* p, size_t n) {
        if (n >= 4) return static_cast<uint64_t>(load<uint32_t>(p)) << 32 | load<uint32_t>(p + n - 4);
        if (n == 0) return 0;
        const auto byte = [&](size_t i) { return static_cast<uint64_t>(static_cast<uint8_t>(p[i])); };
        return byte(0) << 16 | byte(n / 2) << 8 | byte(n - 1);
    }

    uint64_t seed_, odd_;
};

}  // namespace kylin
