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

// The first 8 bytes as one number, zeros where the text ends before. Two overlapping loads are faster than a copy of unknown length.
inline uint64_t first_bytes(std::string_view text) {
    const auto load = [p = text.data()](auto value, size_t at) {
        std::memcpy(&value, p + at, sizeof value);
        return uint64_t{value} << 8 * at;
    };
    const size_t n = text.size();
    if (n >= 8) return load(uint64_t{}, 0);
    if (n >= 4) return load(uint32_t{}, 0) | load(uint32_t{}, n - 4);
    return n == 0 ? 0 : load(uint8_t{}, 0) | load(uint8_t{}, n / 2) | load(uint8_t{}, n - 1);
}

class SeededHash {
public:
    SeededHash();  // a seed that nobody can foresee

    uint64_t operator()(uint64_t key) const { return mix(key ^ seed_, odd_); }
    uint64_t operator()(std::string_view text) const {
        uint64_t h = seed_ ^ text.size();
        for (; text.size() > 8; text.remove_prefix(8)) h = mix(h ^ first_bytes(text), odd_);
        return mix(h ^ first_bytes(text), odd_);
    }

private:
    uint64_t seed_, odd_;
};

}  // namespace kylin
