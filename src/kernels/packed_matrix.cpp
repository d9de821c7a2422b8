#include "kernels/packed_matrix.h"

#include <cstring>
#include <new>
#include <type_traits>
#include <utility>

#include "base/error.h"
#include "gguf/block_codec.h"
#include "kernels/recipes/panel.h"

namespace kylin {
namespace {

constexpr std::align_val_t alignment{panel_alignment};

// Q3_K is d * scale * (q - 4) over sub-blocks of 16: Q6_K's layout holds it exactly, in twice the bytes of the file.
BlockType packed_type(BlockType type) { return type == BlockType::q3_k ? BlockType::q6_k : type; }

// Of one panel, without the padding at its end.
size_t packed_bytes(BlockType type, size_t width) {
    switch (type) {
        case BlockType::q2_k:
            return width / 256 * sizeof(PanelQ2K);
        case BlockType::q4_k:
            return width / 256 * sizeof(PanelQ4K);
        case BlockType::q5_k:
            return width / 256 * sizeof(PanelQ5K);
        case BlockType::q6_k:
            return width / 256 * sizeof(PanelQ6K);
        default:
            return panel_outputs * row_bytes(type, width);
    }
}

size_t padded_panel_bytes(BlockType type, int width, Packing packing) {
    if (packing == Packing::short_floats) return short_panel_bytes(width);
    return (packed_bytes(type, static_cast<size_t>(width)) + panel_alignment - 1) / panel_alignment * panel_alignment;
}

// What a block holds but for its scales, as words of four inputs of one output: row o of the matrix [output][word] whose columns are
// the groups of a panel. They are its last bytes, but for what is read after them.
using Words = uint32_t*;
template <class Panel>
constexpr size_t bytes_after_words = 0;
template <>
constexpr size_t bytes_after_words<PanelQ2K> = sizeof(PanelQ2K) - offsetof(PanelQ2K, mins);

// Two words, the first in the lower half.
using Pair = uint64_t;
Pair load_pair(const void* p) {
    Pair v;
    std::memcpy(&v, p, sizeof v);
    return v;
}
void store_pair(Words to, Pair v) { std::memcpy(to, &v, sizeof v); }
constexpr Pair low_nibbles = 0x0f0f0f0f0f0f0f0f, two_bits = 0x0303030303030303, one_bit = 0x0101010101010101;

Pair nibbles(Pair v, int which) { return (v >> (4 * which)) & low_nibbles; }

// The first word, with the second beside it in bits that the first does not use.
uint32_t beside(Pair v, int shift) { return static_cast<uint32_t>(v | v >> (32 - shift)); }

// Bits `shift` and `shift` + 1 of 16 bytes.
uint32_t two_bits_of(const uint8_t* source, int shift) {
    return beside((load_pair(source) >> shift) & two_bits, 2) | beside((load_pair(source + 8) >> shift) & two_bits, 2) << 4;
}

template <class Panel, class Block>
void pack_scales(Panel& panel, const Block& block, int o) {
    panel.d[o] = block.d;
    panel.dmin[o] = block.dmin;
#pragma GCC unroll 8
    for (int s = 0; s < 8; ++s) {
        const ScaleMin v = unpack_scale_min(block.scales, s);
        panel.scales[s][o] = v.scale;
        panel.mins[s / 2][o][s % 2] = v.min;
    }
}

// Of the 32 bytes that hold sub-blocks 2n and 2n + 1.
void pack_four_bits(Words to, const uint8_t* source, int which) {
    for (int i = 0; i < 4; i += 2)
        store_pair(to + i, nibbles(load_pair(source + 4 * i), which) | nibbles(load_pair(source + 16 + 4 * i), which) << 4);
}

void pack_block(PanelQ4K& panel, const BlockQ4_K& block, int o, Words to) {
    pack_scales(panel, block, o);
#pragma GCC unroll 8
    for (int s = 0; s < 8; ++s) pack_four_bits(to + 4 * s, block.qs + 32 * (s / 2), s % 2);
}

void pack_block(PanelQ5K& panel, const BlockQ5_K& block, int o, Words to) {
    pack_scales(panel, block, o);
#pragma GCC unroll 8
    for (int s = 0; s < 8; ++s, to += 5) {
        Pair high = 0;
        for (int group = 0; group < 8; group += 2) high |= ((load_pair(block.qh + 4 * group) >> s) & one_bit) << group;
        to[0] = beside(high, 1);
        pack_four_bits(to + 1, block.qs + 32 * (s / 2), s % 2);
    }
}

// In the file, of each 128 values: nibble q / 2 of ql[32 (q % 2) + l] and bits 2q, 2q + 1 of qh[l] make value 32 q + l.
void pack_block(PanelQ6K& panel, const BlockQ6_K& block, int o, Words to) {
    panel.d[o] = f16_to_f32(block.d);
#pragma GCC unroll 16
    for (int s = 0; s < 16; ++s, to += 3) {
        panel.scales[s / 2][o][s % 2] = block.scales[s];
        const int half = s / 8, quarter = s % 8 / 2, first = 16 * (s % 2);
        to[0] = two_bits_of(block.qh + 32 * half + first, 2 * quarter);
        const uint8_t* low = block.ql + 64 * half + 32 * (quarter % 2) + first;
        for (int i = 0; i < 2; ++i) to[1 + i] = beside(nibbles(load_pair(low + 8 * i), quarter / 2), 4);
    }
}

void pack_block(PanelQ2K& panel, const BlockQ2_K& block, int o, Words to) {
    panel.d[o] = f16_to_f32(block.d);
    panel.dmin[o] = f16_to_f32(block.dmin);
#pragma GCC unroll 16
    for (int s = 0; s < 16; ++s) {
        panel.scales[s / 2][o][s % 2] = block.scales[s] & 15;
        panel.mins[s / 2][o][s % 2] = static_cast<int8_t>(block.scales[s] >> 4);
        to[s] = two_bits_of(block.qs + 32 * (s / 8) + 16 * (s % 2), 2 * (s % 8 / 2));
    }
}

void pack_block(PanelQ6K& panel, const BlockQ3_K& block, int o, Words to) {
    panel.d[o] = f16_to_f32(block.d);
    int8_t scales[16];
    unpack_q3_k_scales(block.scales, scales);
#pragma GCC unroll 16
    for (int s = 0; s < 16; ++s, to += 3) {
        panel.scales[s / 2][o][s % 2] = static_cast<int8_t>(scales[s] - 32);
        const int half = s / 8, quarter = s % 8 / 2, first = 16 * (s % 2);
        to[0] = 0;
        for (int i = 0; i < 2; ++i) {
            const Pair low = (load_pair(block.qs + 32 * half + first + 8 * i) >> (2 * quarter)) & two_bits;
            const Pair high = (load_pair(block.hmask + first + 8 * i) >> (s / 2)) & one_bit;
            const Pair groups = low + high * 4 + 28 * one_bit;  // q - 4 + 32
            to[0] |= beside(nibbles(groups, 1), 2) << (4 * i);
            to[1 + i] = beside(nibbles(groups, 0), 4);
        }
    }
}

void pack_block(PanelQ8_0& panel, const BlockQ8_0& block, int o, Words to) {
    panel.d[o] = block.d;
    std::memcpy(to, block.qs, sizeof block.qs);
}

// The file's nibbles are the panel's already: byte l holds values l and l + 16.
template <class Panel, class Block>
void pack_nibbles(Panel& panel, const Block& block, int o, Words to) {
    panel.d[o] = block.d;
    std::memcpy(to, block.qs, sizeof block.qs);
}

// Bits 0, 4, 8 .. 28.
uint8_t every_fourth_bit(uint32_t v) {
    v &= 0x11111111;
    v = (v | v >> 3) & 0x03030303;
    v = (v | v >> 6) & 0x000f000f;
    return static_cast<uint8_t>(v | v >> 12);
}

template <class Panel, class Block>
void pack_fifth_bits(Panel& panel, const Block& block, int o) {
    uint32_t bits;
    std::memcpy(&bits, block.qh, sizeof bits);
    for (int j = 0; j < 4; ++j) panel.high[4 * o + j] = every_fourth_bit(bits >> j);
}

void pack_block(PanelQ4_0& panel, const BlockQ4_0& block, int o, Words to) { pack_nibbles(panel, block, o, to); }

void pack_block(PanelIQ4NL& panel, const BlockIQ4_NL& block, int o, Words to) { pack_nibbles(panel, block, o, to); }

void pack_block(PanelQ4_1& panel, const BlockQ4_1& block, int o, Words to) {
    pack_nibbles(panel, block, o, to);
    panel.m[o] = block.m;
}

void pack_block(PanelQ5_0& panel, const BlockQ5_0& block, int o, Words to) {
    pack_nibbles(panel, block, o, to);
    pack_fifth_bits(panel, block, o);
}

void pack_block(PanelQ5_1& panel, const BlockQ5_1& block, int o, Words to) {
    pack_nibbles(panel, block, o, to);
    pack_fifth_bits(panel, block, o);
    panel.m[o] = block.m;
}

template <size_t n>
void transpose(const uint32_t (&rows)[panel_outputs][n], std::byte* to) {
    using Vector = uint32_t __attribute__((vector_size(16)));
    static_assert(n % 4 == 0);
    for (size_t i = 0; i < n; i += 4)
        for (size_t o = 0; o < panel_outputs; o += 4) {
            Vector r[4];
            for (size_t j = 0; j < 4; ++j) std::memcpy(&r[j], &rows[o + j][i], sizeof r[j]);
            const Vector low01 = __builtin_shufflevector(r[0], r[1], 0, 4, 1, 5), high01 = __builtin_shufflevector(r[0], r[1], 2, 6, 3, 7);
            const Vector low23 = __builtin_shufflevector(r[2], r[3], 0, 4, 1, 5), high23 = __builtin_shufflevector(r[2], r[3], 2, 6, 3, 7);
            const Vector columns[4] = {__builtin_shufflevector(low01, low23, 0, 1, 4, 5), __builtin_shufflevector(low01, low23, 2, 3, 6, 7),
                                       __builtin_shufflevector(high01, high23, 0, 1, 4, 5),
                                       __builtin_shufflevector(high01, high23, 2, 3, 6, 7)};
            for (size_t j = 0; j < 4; ++j)
                std::memcpy(to + ((i + j) * panel_outputs + o) * sizeof(uint32_t), &columns[j], sizeof columns[j]);
        }
}

// The rows of a panel in the file; the rows beyond the matrix are null.
using SourceRows = const std::byte* [panel_outputs];

// A reference: a copy would be read back in other pieces than it was written in, which a processor does not do at once.
template <class Block>
const Block& source_block(const std::byte* row, size_t b) {
    static constexpr Block zeros{};
    return row ? reinterpret_cast<const Block*>(row)[b] : zeros;
}

constexpr size_t cache_line = 64;

// A panel's rows are read in 16 places at once, more than a processor looks ahead in: the next panel's are fetched meanwhile. Two Zen 3
// cores, file in memory, GB/s: Q4_K 9.4 to 11.5, Q6_K 4.5 to 8.2, F32 7 to 14. Always inline: g++ 12 drops calls that only fetch.
template <class Block>
[[gnu::always_inline]] inline void fetch_next_panel(const Block& block, size_t n_blocks) {
    const std::byte* next = reinterpret_cast<const std::byte*>(&block) + panel_outputs * n_blocks * sizeof(Block);
    for (size_t i = 0; i < sizeof(Block); i += cache_line) __builtin_prefetch(next + i);
}

template <class Panel, class Block, size_t n_words>
void pack_blocks(std::byte* to, const SourceRows& rows, size_t n_blocks) {
    for (size_t b = 0; b < n_blocks; ++b, to += sizeof(Panel)) {
        uint32_t words[panel_outputs][n_words];
        for (int o = 0; o < panel_outputs; ++o) {
            const Block& block = source_block<Block>(rows[o], b);
            fetch_next_panel(block, n_blocks);
            pack_block(*reinterpret_cast<Panel*>(to), block, o, words[o]);
        }
        transpose(words, to + sizeof(Panel) - bytes_after_words<Panel> - sizeof words);
    }
}

template <class Element>
void pack_elements(std::byte* to, const SourceRows& rows, size_t width) {
    constexpr size_t line = cache_line / sizeof(Element);
    for (size_t k = 0; k < width; k += line)
        for (size_t o = 0; o < panel_outputs; ++o) {
            fetch_next_panel(source_block<Element>(rows[o], k), width);
            for (size_t i = k; i < std::min(k + line, width); ++i)
                reinterpret_cast<Element*>(to)[i * panel_outputs + o] = source_block<Element>(rows[o], i);
        }
}

void pack_panel(std::byte* to, BlockType type, const SourceRows& rows, size_t width) {
    switch (type) {
        case BlockType::q4_k:
            return pack_blocks<PanelQ4K, BlockQ4_K, 32>(to, rows, width / 256);
        case BlockType::q5_k:
            return pack_blocks<PanelQ5K, BlockQ5_K, 40>(to, rows, width / 256);
        case BlockType::q6_k:
            return pack_blocks<PanelQ6K, BlockQ6_K, 48>(to, rows, width / 256);
        case BlockType::q2_k:
            return pack_blocks<PanelQ2K, BlockQ2_K, 16>(to, rows, width / 256);
        case BlockType::q3_k:
            return pack_blocks<PanelQ6K, BlockQ3_K, 48>(to, rows, width / 256);
        case BlockType::q8_0:
            return pack_blocks<PanelQ8_0, BlockQ8_0, 8>(to, rows, width / 32);
        case BlockType::q4_0:
            return pack_blocks<PanelQ4_0, BlockQ4_0, 4>(to, rows, width / 32);
        case BlockType::q4_1:
            return pack_blocks<PanelQ4_1, BlockQ4_1, 4>(to, rows, width / 32);
        case BlockType::q5_0:
            return pack_blocks<PanelQ5_0, BlockQ5_0, 4>(to, rows, width / 32);
        case BlockType::q5_1:
            return pack_blocks<PanelQ5_1, BlockQ5_1, 4>(to, rows, width / 32);
        case BlockType::iq4_nl:
            return pack_blocks<PanelIQ4NL, BlockIQ4_NL, 4>(to, rows, width / 32);
        case BlockType::f16:
        case BlockType::bf16:
            return pack_elements<uint16_t>(to, rows, width);
        case BlockType::f32:
            return pack_elements<float>(to, rows, width);
    }
}

}  // namespace

Activation activation_of(BlockType source_type) {
    switch (source_type) {
        case BlockType::q2_k:
        case BlockType::q3_k:
        case BlockType::q4_k:
        case BlockType::q5_k:
        case BlockType::q6_k:
            return Activation::q8_k;
        case BlockType::q4_0:
        case BlockType::q4_1:
        case BlockType::q5_0:
        case BlockType::q5_1:
        case BlockType::q8_0:
        case BlockType::iq4_nl:
            return Activation::q8_0;
        default:
            return Activation::f32;
    }
}

PackedMatrix::PackedMatrix(BlockType source_type, int n_outputs, int width, std::shared_ptr<WeightMemory> memory, Packing packing)
    : source_type_(source_type),
      type_(packed_type(source_type)),
      n_outputs_(n_outputs),
      width_(width),
      packing_(packing),
      panel_bytes_(padded_panel_bytes(type_, width, packing)),
      memory_(std::move(memory)) {
    if (memory_)
        data_ = std::shared_ptr<std::byte>(memory_, memory_->take(bytes()));
    else
        data_ = std::shared_ptr<std::byte>(static_cast<std::byte*>(::operator new(bytes(), alignment)),
                                           [](std::byte* p) { ::operator delete(p, alignment); });
    if (packing_ == Packing::short_floats) outliers_ = std::make_shared<std::vector<std::vector<Outlier>>>(static_cast<size_t>(n_panels()));
}

size_t PackedMatrix::bytes_for(BlockType source_type, int n_outputs, int width, Packing packing) {
    return padded_panel_bytes(packed_type(source_type), width, packing) *
           static_cast<size_t>((n_outputs + panel_outputs - 1) / panel_outputs);
}

void PackedMatrix::pack(std::span<const std::byte> source, int first_panel, int n_panels) {
    const size_t width = static_cast<size_t>(width_), stride = row_bytes(source_type_, width);
    if (const size_t expected = stride * static_cast<size_t>(n_outputs_); source.size() != expected)
        throw InputError("weight matrix", std::to_string(source.size()) + " bytes where its shape asks for " + std::to_string(expected));
    std::byte* to = data_.get() + static_cast<size_t>(first_panel) * panel_bytes_;
    if (memory_) memory_->prepare(to, static_cast<size_t>(n_panels) * panel_bytes_);
    for (int p = first_panel; p < first_panel + n_panels; ++p, to += panel_bytes_) {
        SourceRows rows = {};
        for (int o = 0; o < panel_outputs && panel_outputs * p + o < n_outputs_; ++o)
            rows[o] = source.subspan(static_cast<size_t>(panel_outputs * p + o) * stride, stride).data();
        if (packing_ == Packing::short_floats)
            (*outliers_)[static_cast<size_t>(p)] = pack_short_floats(to, source_type_, rows, width);
        else
            pack_panel(to, source_type_, rows, width);
    }
}

BlockType PackedMatrix::type() const { return type_; }
int PackedMatrix::width() const { return width_; }
size_t PackedMatrix::panel_bytes() const { return panel_bytes_; }
Packing PackedMatrix::packing() const { return packing_; }
const Outlier* PackedMatrix::outliers(int p) const {
    if (!outliers_) return nullptr;
    const auto& list = (*outliers_)[static_cast<size_t>(p)];
    return list.empty() ? &no_outlier : list.data();
}
const std::byte* PackedMatrix::panel(int p) const { return data_.get() + static_cast<size_t>(p) * panel_bytes_; }

}  // namespace kylin
