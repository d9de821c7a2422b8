// The table of inner loops that every instruction set fills. All tables compute the same bits.
//
// Words: an *output* is a row of a weight matrix, a *row* is one token's vector, a *panel* is 16 outputs packed together.
// The float recipe of each kernel is written beside its definition in recipes/; no kernel splits a sum by thread, batch or chunk.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "gguf/block_types.h"

namespace kylin {

class PackedMatrix;

// Quantized activations: what ggml's Q8_0 and Q8_K hold, as the products want it. x = d * q, q from -127 to 127.
struct ActivationQ8_0 {
    float d;      // an F16 value
    int32_t sum;  // of qs
    int8_t qs[32];
};
struct ActivationQ8_K {
    float d;
    int8_t qs[256];
    int16_t offsets_of_8[32];  // -32 times sums of 8: what Q6_K's sums of q * x have beyond those of (q - 32) * x, taken off beforehand
    int16_t sums_of_16[16], sums_of_32[8];
};

// The form in which a packed matrix reads its inputs. Rows are contiguous: width floats, width/32 or width/256 blocks.
enum class Activation : uint8_t { f32, q8_0, q8_k };
size_t activation_bytes(Activation form, int width);

// y[r * y_stride + o] = dot(weights[o], x[r]) for outputs first_output .. first_output + n_outputs - 1.
// first_output is a multiple of 16; n_outputs too, unless the range ends the matrix.
struct MatmulTask {
    const PackedMatrix* weights;
    int first_output, n_outputs;
    const std::byte* x;  // weights->activation() form
    size_t x_stride;     // bytes between rows
    int n_rows;
    float* y;
    size_t y_stride;  // floats between rows
};

enum class KvType : uint8_t { f16, f32, q8_0 };
inline constexpr int kv_block = 64;       // keys of one KV page of one head: K is [4, head_dim, 16], V is [64, head_dim]
inline constexpr int kv_key_group = 16;   // keys that lie together, dim by dim: few keys lie in few cache lines, which follow one another
inline constexpr int kv_scale_dims = 32;  // dims of a position that share a scale in Q8_0: head_dim must be a multiple there
// Where a K page has dim d of the key in a slot.
constexpr size_t kv_key_index(size_t head_dim, size_t slot, size_t d) {
    return (slot / kv_key_group * head_dim + d) * kv_key_group + slot % kv_key_group;
}
constexpr size_t kv_value_bytes(KvType type) { return type == KvType::f32 ? 4 : type == KvType::f16 ? 2 : 1; }
// Bytes of a page of K or of V. One of Q8_0 holds the quants, a byte each, and after them the F16 scales, [head_dim / 32, 64] for K and V
// alike: 64 scales of the same dims lie together, to be converted as vectors.
constexpr size_t kv_page_bytes(KvType type, int head_dim) {
    const size_t n = static_cast<size_t>(kv_block) * static_cast<size_t>(head_dim);
    return kv_value_bytes(type) * n + (type == KvType::q8_0 ? 2 * n / kv_scale_dims : 0);
}

// Writes one position of one KV head into its K page and V page, rounded to the cache type; Q8_0 as quantize_q8_0 rounds.
struct KvStore {
    KvType type;
    int head_dim;
    int slot;  // position % 64
    const float *k, *v;
    std::byte *k_page, *v_page;
};

// Causal attention of consecutive rows of one sequence, for the query heads of one KV head; reads only the cache.
// Row r attends to positions 0 .. first_position + r, visited in blocks of 64 at absolute positions.
// q[r * q_stride + g * head_dim + d], out likewise, g < group. Any head_dim that the type can hold; out is not q.
struct AttentionTask {
    KvType type;
    int head_dim, group;
    int n_rows, first_position;
    float scale;
    const float* q;
    size_t q_stride;
    float* out;
    size_t out_stride;
    const std::byte* const* k_pages;  // of this KV head, in order of position
    const std::byte* const* v_pages;
};

// One head, n_dims of head_dim rotated, the rest copied. cos and sin hold n_dims / 2 values, magnitude scale included.
struct RopeTask {
    int head_dim, n_dims;
    bool neox;  // pairs (i, i + n_dims/2); else (2i, 2i + 1)
    const float *cos, *sin;
};

// A peak is the largest of 64 values that lie together: who seeks the best of 152 k logits reads the peaks, and few of the others.
inline constexpr size_t peak_width = 64;
constexpr size_t n_peaks(size_t n_values) { return (n_values + peak_width - 1) / peak_width; }

struct Kernels {
    std::string_view name;  // "scalar", "avx2", "avx_vnni", "avx512", "avx512_cascade_lake", "avx512_intel", "neon", "neon_i8mm"
    void (*quantize_q8_0)(const float* x, ActivationQ8_0* y, int n);  // as llama.cpp's quantize_row_q8_0_ref, bit for bit
    void (*quantize_q8_k)(const float* x, ActivationQ8_K* y, int n);  // as llama.cpp's quantize_row_q8_K_ref, bit for bit
    void (*matmul)(const MatmulTask& task);
    void (*rms_norm)(const float* x, const float* weight, float eps, int n, float* y);  // y may be x
    void (*rope)(const RopeTask& task, const float* x, float* y);                       // y may be x
    void (*silu_mul)(const float* gate, const float* up, float* y, int n);              // y may be gate or up
    void (*add)(const float* a, const float* b, float* y, int n);                       // y may be a or b
    void (*find_peaks)(const float* x, int n, float* peaks);                            // [n_peaks(n)], NaN where a value is not finite
    void (*store_kv)(const KvStore& task);
    void (*attend)(const AttentionTask& task);
    float (*multiply_floats)(int n, float factor, double& products);  // the most that floats can be multiplied: a limit, not a stage
};

// The tables this program was built with that this CPU can run, best first; the last is scalar.
std::vector<const Kernels*> usable_kernels();
// The best one, or the one named by `name`; throws InputError for a name that is unknown or cannot run here.
const Kernels& select_kernels(std::string_view name = {});

}  // namespace kylin
