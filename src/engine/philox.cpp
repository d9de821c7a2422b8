#include "engine/philox.h"

namespace kylin {

std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
    constexpr uint64_t multiplier[2] = {0xD2511F53, 0xCD9E8D57};
    constexpr uint32_t weyl[2] = {0x9E3779B9, 0xBB67AE85};
    for (int round = 0; round < 10; ++round) {
        const uint64_t a = multiplier[0] * counter[0], b = multiplier[1] * counter[2];
        counter = {static_cast<uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(b),
                   static_cast<uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(a)};
        key = {key[0] + weyl[0], key[1] + weyl[1]};
    }
    return counter;
}

double uniform(uint64_t seed, uint64_t index) {
    const auto words = philox4x32({static_cast<uint32_t>(index), static_cast<uint32_t>(index >> 32), 0, 0},
                                  {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
    const uint64_t bits = static_cast<uint64_t>(words[1]) << 32 | words[0];
    return static_cast<double>(bits >> 11) * 0x1p-53;
}

}  // namespace kylin
