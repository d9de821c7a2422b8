#include "model/config.h"

#include <cmath>
#include <limits>

#include "base/error.h"
#include "model/architectures.h"

namespace kylin {
namespace {

using Source = Config::Source;

// Reads one key after the other, checks its range, and keeps where each value came from.
class KeyReader {
public:
    KeyReader(const gguf::File& file, Config& config) : file_(file), config_(config) {}

    struct IntRange {
        int64_t least, most;
    };
    struct FloatRange {
        double above, most;
    };

    int required_int(const char* field, const char* suffix, IntRange range) {
        const std::string k = key(suffix);
        const auto value = file_.find_int(k);
        if (!value) throw InputError(file_.name(), "key " + k + " is missing");
        return checked_int(field, k, *value, range);
    }
    int optional_int(const char* field, const char* suffix, int fallback, IntRange range) {
        const std::string k = key(suffix);
        const auto value = file_.find_int(k);
        if (value) return checked_int(field, k, *value, range);
        note(field, std::to_string(fallback), "default", Source::fallback);
        return fallback;
    }
    double required_float(const char* field, const char* suffix, FloatRange range) {
        const std::string k = key(suffix);
        const auto value = file_.find_float(k);
        if (!value) throw InputError(file_.name(), "key " + k + " is missing");
        return checked_float(field, k, *value, range);
    }
    double optional_float(const char* field, const char* suffix, double fallback, FloatRange range) {
        const std::string k = key(suffix);
        const auto value = file_.find_float(k);
        if (value) return checked_float(field, k, *value, range);
        note(field, float_text(fallback), "default", Source::fallback);
        return fallback;
    }
    void derived(const char* field, const std::string& value, const std::string& rule) { note(field, value, rule, Source::derived); }
    void from_key(const char* field, const std::string& value, const std::string& k) { note(field, value, k, Source::key); }
    bool has(const char* suffix) const { return file_.find(key(suffix)) != nullptr; }
    std::string key(const char* suffix) const { return config_.architecture + "." + suffix; }

private:
    int checked_int(const char* field, const std::string& k, int64_t value, IntRange range) {
        if (value < range.least || value > range.most)
            file_.fail(k, "key " + k + " is " + std::to_string(value) + ", outside " + std::to_string(range.least) + " .. " +
                              std::to_string(range.most));
        note(field, std::to_string(value), k, Source::key);
        return static_cast<int>(value);
    }
    double checked_float(const char* field, const std::string& k, double value, FloatRange range) {
        if (!(value > range.above && value <= range.most))  // NaN fails both
            file_.fail(k, "key " + k + " is " + float_text(value) + ", not above " + float_text(range.above) + " and at most " +
                              float_text(range.most));
        note(field, float_text(value), k, Source::key);
        return value;
    }
    static std::string float_text(double v) {
        char text[32];
        std::snprintf(text, sizeof text, "%g", v);
        return text;
    }
    void note(const char* field, std::string value, std::string from, Source source) {
        config_.origins.push_back({field, std::move(value), std::move(from), source});
    }

    const gguf::File& file_;
    Config& config_;
};

// Bounds far above any model, low enough that no product of two overflows an int.
constexpr KeyReader::IntRange layer_range{1, 4096}, width_range{1, 1 << 20}, head_range{1, 4096}, head_dim_range{8, 4096},
    context_range{1, std::numeric_limits<int>::max() / 2};

void read_attention(const gguf::File& file, KeyReader& keys, Config& c) {
    AttentionShape& a = c.attention;
    a.n_head = keys.required_int("n_head", "attention.head_count", head_range);
    a.n_head_kv = keys.optional_int("n_head_kv", "attention.head_count_kv", a.n_head, head_range);
    if (a.n_head % a.n_head_kv != 0)
        file.fail(keys.key("attention.head_count_kv"), "key " + keys.key("attention.head_count") + " is " + std::to_string(a.n_head) +
                                                           ", not a multiple of " + keys.key("attention.head_count_kv") + " " +
                                                           std::to_string(a.n_head_kv));
    if (keys.has("attention.key_length")) {
        a.head_dim = keys.required_int("head_dim", "attention.key_length", head_dim_range);
    } else {
        if (c.n_embd % a.n_head != 0)
            throw InputError(file.name(), "key " + keys.key("attention.key_length") + " is missing, and embedding_length " +
                                              std::to_string(c.n_embd) + " is not a multiple of head_count " + std::to_string(a.n_head));
        a.head_dim = c.n_embd / a.n_head;
        keys.derived("head_dim", std::to_string(a.head_dim), "embedding_length / attention.head_count");
    }
    if (a.head_dim % 8 != 0)
        throw InputError(file.name(), "head_dim is " + std::to_string(a.head_dim) + "; only multiples of 8 are supported");
    const int value_dim = keys.optional_int("value_dim", "attention.value_length", a.head_dim, head_dim_range);
    if (value_dim != a.head_dim)
        file.fail(keys.key("attention.value_length"), "key " + keys.key("attention.value_length") + " is " + std::to_string(value_dim) +
                                                          ", but attention.key_length is " + std::to_string(a.head_dim) +
                                                          "; different lengths are not supported");
    a.scale = 1.0 / std::sqrt(static_cast<double>(a.head_dim));
    keys.derived("attention.scale", std::to_string(a.scale), "1 / sqrt(head_dim)");
}

void read_rope(const gguf::File& file, KeyReader& keys, Config& c) {
    constexpr KeyReader::FloatRange positive{0, 1e30}, any_factor{0, 1e6};
    Rope& r = c.rope;
    r.head_dim = c.attention.head_dim;
    r.neox = architecture_of(file).rope_neox;
    keys.derived("rope.mode", r.neox ? "neox" : "norm", "architecture");
    r.n_dims = keys.optional_int("rope.n_dims", "rope.dimension_count", c.attention.head_dim, {2, c.attention.head_dim});
    if (r.n_dims % 2 != 0)
        file.fail(keys.key("rope.dimension_count"), "key " + keys.key("rope.dimension_count") + " is odd: " + std::to_string(r.n_dims));
    r.base = keys.optional_float("rope.base", "rope.freq_base", 10000.0, positive);

    const std::string type_key = keys.key("rope.scaling.type");
    const std::string* type = file.find_string(type_key);
    if (type && *type != "none" && *type != "linear" && *type != "yarn")
        file.fail(type_key, "rope scaling \"" + *type + "\" is not supported (none, linear, yarn)");
    if (type) {
        r.scaling = *type == "yarn" ? RopeScaling::yarn : *type == "linear" ? RopeScaling::linear : RopeScaling::none;
        keys.from_key("rope.scaling", *type, type_key);
    } else if (keys.has("rope.scaling.factor") || keys.has("rope.scale_linear")) {
        r.scaling = RopeScaling::linear;
        keys.derived("rope.scaling", "linear", "a factor without a type");
    }
    if (r.scaling == RopeScaling::none) return;
    r.factor = keys.has("rope.scaling.factor") ? keys.required_float("rope.factor", "rope.scaling.factor", any_factor)
                                               : keys.optional_float("rope.factor", "rope.scale_linear", 1.0, any_factor);
    if (r.scaling == RopeScaling::linear) return;
    r.original_context = keys.optional_int("rope.original_context", "rope.scaling.original_context_length", c.n_ctx_train, context_range);
    r.yarn_attn_factor = keys.optional_float("rope.yarn_attn_factor", "rope.scaling.attn_factor", 1.0, positive);
    r.yarn_ext_factor = keys.optional_float("rope.yarn_ext_factor", "rope.scaling.yarn_ext_factor", 1.0, {-1e-300, 1e6});
    r.yarn_beta_fast = keys.optional_float("rope.yarn_beta_fast", "rope.scaling.yarn_beta_fast", 32.0, positive);
    r.yarn_beta_slow = keys.optional_float("rope.yarn_beta_slow", "rope.scaling.yarn_beta_slow", 1.0, positive);
}

int read_n_vocab(const gguf::File& file, KeyReader& keys) {
    constexpr uint64_t most = 1 << 24;
    const auto* tokens = file.find_strings("tokenizer.ggml.tokens");
    const gguf::Tensor* embedding = file.find_tensor("token_embd.weight");
    if (!embedding) throw InputError(file.name(), "tensor token_embd.weight is missing");
    const uint64_t n = tokens ? tokens->size() : embedding->n_rows();
    if (n == 0 || n > most) throw InputError(file.name(), "a vocabulary of " + std::to_string(n) + " tokens cannot be used");
    if (tokens)
        keys.from_key("n_vocab", std::to_string(n), "tokenizer.ggml.tokens");
    else
        keys.derived("n_vocab", std::to_string(n), "rows of token_embd.weight");
    return static_cast<int>(n);
}

}  // namespace

Config read_config(const gguf::File& file) {
    Config c;
    c.architecture = architecture_of(file).name;
    if (const std::string* name = file.find_string("general.name")) c.name = *name;
    KeyReader keys(file, c);
    c.n_vocab = read_n_vocab(file, keys);
    c.n_layer = keys.required_int("n_layer", "block_count", layer_range);
    c.n_ctx_train = keys.required_int("n_ctx_train", "context_length", context_range);
    c.n_embd = keys.required_int("n_embd", "embedding_length", width_range);
    c.n_ff = keys.required_int("n_ff", "feed_forward_length", width_range);
    c.norm_eps = static_cast<float>(keys.required_float("norm_eps", "attention.layer_norm_rms_epsilon", {0, 1}));
    read_attention(file, keys, c);
    read_rope(file, keys, c);
    c.pooling = static_cast<Pooling>(keys.optional_int("pooling", "pooling_type", 0, {0, 4}));
    return c;
}

}  // namespace kylin
