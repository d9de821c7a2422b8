// What the fast numerics does to be fast. Leaving one out changes no bit of the results: the benchmark does it to show what each is worth.
#pragma once
#include <array>
#include <cstdint>
#include <string_view>

namespace kylin {

enum class Technique : uint8_t {
    tiles,
    attention_tiles,
    shared_inputs,
    shared_regions,
    small_pieces,
    last_logits,
    spinning,
    pinning,
    short_floats,
    odd_rows
};

struct TechniqueInfo {
    Technique technique;
    std::string_view name, explanation;
};

inline constexpr auto techniques = std::to_array<TechniqueInfo>({
    {Technique::tiles, "tiles", "several rows are multiplied with a weight that was loaded once"},
    {Technique::attention_tiles, "attention-tiles", "several rows meet a key that was loaded once"},
    {Technique::shared_inputs, "shared-inputs", "Q, K and V, gate and up read one quantized form of their input"},
    {Technique::shared_regions, "shared-regions",
     "Q, K and V are one parallel region; gate, up and silu another; attention rotates its heads, and who makes a row quantizes it"},
    {Technique::small_pieces, "small-pieces", "a matrix is handed out in eight pieces a thread, not one"},
    {Technique::last_logits, "last-logits", "logits are computed of the last row of a prompt only"},
    {Technique::spinning, "spinning", "a thread that waits looks for 50 us before it sleeps"},
    {Technique::pinning, "pinning", "where there is a thread for every core, it stays there"},
    {Technique::short_floats, "short-floats", "F16 and BF16 weights are held in 12 bits where nothing is lost by it"},
    {Technique::odd_rows, "odd-rows", "rows of activations lie an odd number of cache lines apart"},
});

}  // namespace kylin
