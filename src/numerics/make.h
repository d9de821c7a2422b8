// The numerics there are, by name. Each runs the same forward pass of a model with its own number types.
#pragma once
#include <array>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/kernels.h"
#include "model/model.h"
#include "model/numerics.h"
#include "numerics/technique.h"

namespace kylin {

enum class NumericsKind : uint8_t {
    fast,       // packed weights, quantized activations and integer dots where the weights are quantized, KV of any type
    layercast,  // weights cast to F32 as they are used, everything in F32, F32 KV (LayerCast, arXiv 2506.09501)
    oracle,     // float64 everywhere
};

struct NumericsOptions {
    NumericsKind kind = NumericsKind::fast;
    int n_pages = 0;                      // of the KV cache, page_positions each; at least 1
    KvType kv = KvType::f16;              // fast only
    int n_threads = 0;                    // 0: every usable one
    std::string isa = {};                 // fast only; empty: the best one
    std::vector<Technique> without = {};  // fast only
    const Numerics* beside = nullptr;     // fast only: shares the packed weights of this one, which is of the same model
};

// Called with the share of the work that is done, 0 .. 1.
using Progress = std::function<void(double)>;

// The numerics keeps a reference to the model. Throws InputError when the options cannot be used.
std::unique_ptr<Numerics> make_numerics(const Model& model, const NumericsOptions& options, const Progress& progress = {});

NumericsKind numerics_named(std::string_view name);  // throws InputError listing the names
std::string_view name(NumericsKind kind);

inline constexpr std::array kv_type_names = {"f16", "f32", "q8_0"};  // in the order of KvType
KvType kv_type_named(std::string_view name);                         // throws InputError listing the names
constexpr std::string_view name(KvType type) { return kv_type_names[static_cast<size_t>(type)]; }

}  // namespace kylin
