#include "numerics/make.h"

#include "base/error.h"
#include "numerics/fast.h"
#include "numerics/plain.h"

namespace kylin {
namespace {

constexpr std::string_view names[] = {"fast", "layercast", "oracle"};  // in the order of NumericsKind

}  // namespace

std::unique_ptr<Numerics> make_numerics(const Model& model, const NumericsOptions& options, const Progress& progress) {
    switch (options.kind) {
        case NumericsKind::fast:
            return make_fast(model, options, progress);
        case NumericsKind::layercast:
            return make_layercast(model, options);
        case NumericsKind::oracle:
            return make_oracle(model, options);
    }
    throw std::logic_error("unknown numerics");
}

NumericsKind numerics_named(std::string_view name) {
    for (size_t i = 0; i < std::size(names); ++i)
        if (names[i] == name) return static_cast<NumericsKind>(i);
    throw InputError("numerics", "\"" + std::string(name) + "\" is unknown (fast, layercast, oracle)");
}

KvType kv_type_named(std::string_view name) {
    for (size_t i = 0; i < std::size(kv_type_names); ++i)
        if (kv_type_names[i] == name) return static_cast<KvType>(i);
    throw InputError("KV cache", "type \"" + std::string(name) + "\" is unknown (f16, f32, q8_0)");
}

std::string_view name(NumericsKind kind) { return names[static_cast<size_t>(kind)]; }

}  // namespace kylin
