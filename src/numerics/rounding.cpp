#include "numerics/rounding.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "gguf/block_codec.h"
#include "kernels/packed_matrix.h"

namespace kylin {
namespace {

// Engines may compute the scaled value with another order of its two or three roundings: each moves it by 2^-24 of 127 at most.
constexpr double middle = 127 * 4 * 0x1p-24;

template <class Block>
void unpack(const std::vector<Block>& blocks, std::span<double> row, std::vector<Undecided>* undecided) {
    const size_t n = std::size(blocks[0].qs);
    for (size_t first = 0; first < row.size(); first += n) {
        const Block& b = blocks[first / n];
        const double d = b.d;
        double largest = 0;
        for (size_t i = first; i < first + n; ++i) largest = std::max(largest, std::fabs(row[i]));
        for (size_t i = first; i < first + n; ++i) {
            const double scaled = largest == 0 ? 0 : std::fabs(row[i]) * 127 / largest;
            if (undecided && std::fabs(scaled - std::floor(scaled) - 0.5) < middle)
                undecided->push_back({static_cast<int>(i), std::fabs(d)});
            row[i] = d * b.qs[i - first];
        }
    }
}

}  // namespace

RowForm row_form(Rounding::Inputs inputs, BlockType weights) {
    if (inputs == Rounding::Inputs::none) return RowForm::exact;
    if (inputs == Rounding::Inputs::kylin) {
        const Activation form = activation_of(weights);
        return form == Activation::q8_k ? RowForm::q8_k : form == Activation::q8_0 ? RowForm::q8_0 : RowForm::exact;
    }
    switch (weights) {  // ggml-cpu's vec_dot_type
        case BlockType::f32:
            return RowForm::exact;
        case BlockType::f16:
            return RowForm::f16;
        case BlockType::bf16:
            return RowForm::bf16;
        case BlockType::q4_0:
        case BlockType::q5_0:
        case BlockType::q8_0:
        case BlockType::iq4_nl:
            return RowForm::q8_0;
        case BlockType::q4_1:
        case BlockType::q5_1:
            return RowForm::q8_1;
        default:
            return RowForm::q8_k;
    }
}

RowForm row_form(KvType kv) { return kv == KvType::q8_0 ? RowForm::q8_0 : kv == KvType::f16 ? RowForm::f16 : RowForm::exact; }

void require_kv_type(KvType type, int head_dim) {
    if (type == KvType::q8_0 && head_dim % kv_scale_dims != 0)
        throw InputError("KV cache", "q8_0 needs a head_dim that is a multiple of " + std::to_string(kv_scale_dims) + ", not " +
                                         std::to_string(head_dim));
}

void round_row(RowForm form, std::span<double> row, std::vector<Undecided>* undecided) {
    const std::vector<float> narrow(row.begin(), row.end());
    const auto n = static_cast<int>(row.size());
    switch (form) {
        case RowForm::exact:
            return;
        case RowForm::f16:
            for (size_t i = 0; i < row.size(); ++i) row[i] = static_cast<double>(f16_to_f32(f32_to_f16(narrow[i])));
            return;
        case RowForm::bf16:
            for (size_t i = 0; i < row.size(); ++i) row[i] = static_cast<double>(bf16_to_f32(f32_to_bf16(narrow[i])));
            return;
        case RowForm::q8_0:
        case RowForm::q8_1: {
            std::vector<ActivationQ8_0> blocks(row.size() / 32);
            select_kernels("scalar").quantize_q8_0(narrow.data(), blocks.data(), n);
            return unpack(blocks, row, undecided);
        }
        case RowForm::q8_k: {
            std::vector<ActivationQ8_K> blocks(row.size() / 256);
            select_kernels("scalar").quantize_q8_k(narrow.data(), blocks.data(), n);
            return unpack(blocks, row, undecided);
        }
    }
}

}  // namespace kylin
