// What the processor can do at most with floats: a limit to hold products against.
#pragma once
#include <cstddef>

namespace kylin {
namespace {

// n steps x = x * factor + factor of many chains, all in registers. `products` gets their number; returns what keeps the work from being
// left out.
template <class V>
float multiply_floats(int n, float factor, double& products) {
    // A result can be had after 4 cycles, and two chains can go on in each.
    constexpr int chains = 12;
    typename V::Floats x[chains];
    const auto f = V::splat(factor);
    for (auto& chain : x) chain = f;
    for (int i = 0; i < n; ++i)
        for (auto& chain : x) chain = V::fma(chain, f, f);
    auto sum = V::zero();
    for (const auto& chain : x) sum = V::add(sum, chain);
    float lanes[V::lanes];
    V::store(lanes, sum);
    products = static_cast<double>(n) * chains * V::lanes;
    return lanes[0];
}

}  // namespace
}  // namespace kylin
