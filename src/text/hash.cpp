// The seed.
#include "text/hash.h"

#include <random>

namespace kylin {

SeededHash::SeededHash() {
    std::random_device device;
    const auto random = [&] { return static_cast<uint64_t>(device()) << 32 | device(); };
    seed_ = random();
    odd_ = random() | 1;
}

}  // namespace kylin
