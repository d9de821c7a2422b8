// A small random Qwen3 in memory, with what makes faults visible: head_dim is not n_embd / n_head, fewer KV heads than heads,
// norm weights away from 1, a massive channel, an embedding row whose mean square is near eps.
#pragma once
#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "gguf/file.h"
#include "gguf/writer.h"
#include "model/model.h"

namespace kylin {

struct TinyOptions {
    BlockType type = BlockType::f32;  // of the matrices
    bool tied = false;
    unsigned seed = 1;
    // Changes the metadata or drops and reshapes tensors before the file is made.
    std::function<void(std::vector<gguf::Entry>&, std::vector<gguf::TensorInfo>&)> edit = {};
};

struct TinyModel {
    static constexpr int n_vocab = 320, n_layer = 2, n_embd = 256, n_ff = 512, n_head = 4, n_head_kv = 2, head_dim = 128, n_ctx = 512;
    std::vector<std::byte> bytes;
    std::unique_ptr<gguf::File> file;
    std::unique_ptr<const Model> model;
};

std::vector<std::byte> tiny_model_bytes(const TinyOptions& options);
TinyModel make_tiny_model(const TinyOptions& options);

}  // namespace kylin
