// The architectures Kylin runs: one line here and one file each.
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "model/model.h"

namespace kylin {

struct Architecture {
    std::string_view name;  // as in general.architecture
    bool rope_neox;         // pairs (i, i + n_dims/2); else (2i, 2i + 1)
    std::unique_ptr<const Model> (*make)(const gguf::File& file, Config config);
};

std::unique_ptr<const Model> make_qwen3(const gguf::File& file, Config config);

// The architecture a file names; throws InputError listing those supported.
const Architecture& architecture_of(const gguf::File& file);

}  // namespace kylin
