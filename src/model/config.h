// What the forward pass needs to know of a model, and where each value came from.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "gguf/file.h"
#include "model/weights.h"

namespace kylin {

// How an embedding model makes one vector of a text's rows; the numbers are GGUF's. `none`: the file says nothing.
enum class Pooling : uint8_t { none, mean, cls, last, rank };

enum class RopeScaling : uint8_t { none, linear, yarn };

struct Rope {
    bool neox = true;  // pairs (i, i + n_dims/2); else (2i, 2i + 1)
    int head_dim = 0;
    int n_dims = 0;  // of each head; the rest is copied
    double base = 10000;
    RopeScaling scaling = RopeScaling::none;
    double factor = 1;  // context is stretched by this much
    int original_context = 0;
    double yarn_ext_factor = 1, yarn_attn_factor = 1, yarn_beta_fast = 32, yarn_beta_slow = 1;
    Weight factors;  // optional, n_dims / 2: each frequency is divided by its factor
};

struct AttentionShape {
    int n_head = 0, n_head_kv = 0, head_dim = 0;
    double scale = 0;
    int group() const { return n_head / n_head_kv; }  // query head h reads KV head h / group()
};

struct Config {
    std::string architecture, name;
    int n_vocab = 0, n_layer = 0, n_ctx_train = 0, n_embd = 0, n_ff = 0;
    float norm_eps = 0;
    AttentionShape attention;
    Rope rope;
    Pooling pooling = Pooling::none;

    enum class Source : uint8_t { key, fallback, derived };
    struct Origin {
        std::string field, value, from;  // from: the key, or the rule
        Source source;
    };
    std::vector<Origin> origins;
};

// Throws InputError naming the key for anything missing, of another type, out of range or contradictory.
Config read_config(const gguf::File& file);

}  // namespace kylin
