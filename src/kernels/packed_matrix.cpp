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

uint32_t load4(const void* p) {
    uint32_t v;
    std::memcpy(&v, p, sizeof v);
    return v;
}
void store4(void* p, uint32_t v) { std::memcpy(p, &v, sizeof v); }

// Four bytes at a time.
constexpr uint32_t low_nibbles = 0x0f0f0f0f, two_bits = 0x03030303, one_bit = 0x01010101;
uint32_t nibbles(uint32_t v, int which) { return (v >> (4 * which)) & low_nibbles; }

uint8_t (&quants_of(PanelQ4K& panel, int s))[4][64] { return panel.quants[s]; }
uint8_t (&quants_of(PanelQ5K& panel, int s))[4][64] { return panel.sub_blocks[s].quants; }

template <class Panel, class Block>
void pack_sub_blocks(Panel& panel, const Block& block, int o) {
    panel.d[o] = block.d;
    panel.dmin[o] = block.dmin;
    for (int s = 0; s < 8; ++s) {
        const ScaleMin v = unpack_scale_min(block.scales, s);
        panel.scales[s][o] = v.scale;
        panel.mins[s / 2][o][s % 2] = v.min;
        const uint8_t* source = block.qs + 32 * (s / 2);
        for (int i = 0; i < 4; ++i)
            store4(&quants_of(panel, s)[i][4 * o], nibbles(load4(source + 4 * i), s % 2) | nibbles(load4(source + 16 + 4 * i), s % 2) << 4);
    }
}

void pack_block(PanelQ4K& panel, const BlockQ4_K& block, int o) { pack_sub_blocks(panel, block, o); }

void pack_block(PanelQ5K& panel, const BlockQ5_K& block, int o) {
    pack_sub_blocks(panel, block, o);
    for (int s = 0; s < 8; ++s) {
        uint32_t high = 0;
        for (int group = 0; group < 8; ++group) high |= ((load4(block.qh + 4 * group) >> s) & one_bit) << group;
        store4(&panel.sub_blocks[s].high[4 * o], high);
    }
}

// In the file, of each 128 values: nibble q / 2 of ql[32 (q % 2) + l] and bits 2q, 2q + 1 of qh[l] make value 32 q + l.
void pack_block(PanelQ6K& panel, const BlockQ6_K& block, int o) {
    panel.d[o] = f16_to_f32(block.d);
    for (int s = 0; s < 16; ++s) {
        panel.scales[s / 2][o][s % 2] = block.scales[s];
        const int half = s / 8, quarter = s % 8 / 2, first = 16 * (s % 2);
        const uint8_t* low = block.ql + 64 * half + 32 * (quarter % 2) + first;
        const uint8_t* high = block.qh + 32 * half + first;
        uint32_t upper = 0;
        for (int group = 0; group < 4; ++group) upper |= ((load4(high + 4 * group) >> (2 * quarter)) & two_bits) << (2 * group);
        store4(&panel.sub_blocks[s].high[4 * o], upper);
        for (int i = 0; i < 2; ++i)
            store4(&panel.sub_blocks[s].low[i][4 * o],
                   nibbles(load4(low + 8 * i), quarter / 2) | nibbles(load4(low + 8 * i + 4), quarter / 2) << 4);
    }
}

void pack_block(PanelQ2K& panel, const BlockQ2_K& block, int o) {
    panel.d[o] = f16_to_f32(block.d);
    panel.dmin[o] = f16_to_f32(block.dmin);
    for (int s = 0; s < 16; ++s) {
        panel.scales[s / 2][o][s % 2] = block.scales[s] & 15;
        panel.mins[s / 2][o][s % 2] = static_cast<int8_t>(block.scales[s] >> 4);
        const uint8_t* source = block.qs + 32 * (s / 8) + 16 * (s % 2);
        uint32_t groups = 0;
        for (int group = 0; group < 4; ++group) groups |= ((load4(source + 4 * group) >> (2 * (s % 8 / 2))) & two_bits) << (2 * group);
        store4(&panel.quants[s][4 * o], groups);
    }
}

void pack_block(PanelQ6K& panel, const BlockQ3_K& block, int o) {
    panel.d[o] = f16_to_f32(block.d);
    int8_t scales[16];
    unpack_q3_k_scales(block.scales, scales);
    for (int s = 0; s < 16; ++s) {
        panel.scales[s / 2][o][s % 2] = static_cast<int8_t>(scales[s] - 32);
        const int half = s / 8, quarter = s % 8 / 2, first = 16 * (s % 2);
        uint32_t groups[4];
        for (int group = 0; group < 4; ++group) {
            const uint32_t low = (load4(block.qs + 32 * half + first + 4 * group) >> (2 * quarter)) & two_bits;
            const uint32_t high = (load4(block.hmask + first + 4 * group) >> (s / 2)) & one_bit;
            groups[group] = low + high * 4 + 28 * one_bit;  // q - 4 + 32
        }
        uint32_t upper = 0;
        for (int group = 0; group < 4; ++group) upper |= nibbles(groups[group], 1) << (2 * group);
        store4(&panel.sub_blocks[s].high[4 * o], upper);
        for (int i = 0; i < 2; ++i)
            store4(&panel.sub_blocks[s].low[i][4 * o], nibbles(groups[2 * i], 0) | nibbles(groups[2 * i + 1], 0) << 4);
    }
}

void pack_block(PanelQ8_0& panel, const BlockQ8_0& block, int o) {
    panel.d[o] = block.d;
    for (int group = 0; group < 8; ++group) std::memcpy(&panel.quants[group][4 * o], block.qs + 4 * group, 4);
}

// The file's nibbles are the panel's already: byte l holds values l and l + 16.
template <class Panel, class Block>
void pack_nibbles(Panel& panel, const Block& block, int o) {
    panel.d[o] = block.d;
    for (int i = 0; i < 4; ++i) std::memcpy(&panel.quants[i][4 * o], block.qs + 4 * i, 4);
}

template <class Panel, class Block>
void pack_fifth_bits(Panel& panel, const Block& block, int o) {
    const uint32_t bits = load4(block.qh);
    for (int j = 0; j < 4; ++j) {
        uint32_t high = 0;
        for (int group = 0; group < 8; ++group) high |= ((bits >> (4 * group + j)) & 1) << group;
        panel.high[4 * o + j] = static_cast<uint8_t>(high);
    }
}

void pack_block(PanelQ4_0& panel, const BlockQ4_0& block, int o) { pack_nibbles(panel, block, o); }

void pack_block(PanelIQ4NL& panel, const BlockIQ4_NL& block, int o) { pack_nibbles(panel, block, o); }

void pack_block(PanelQ4_1& panel, const BlockQ4_1& block, int o) {
    pack_nibbles(panel, block, o);
    panel.m[o] = block.m;
}

void pack_block(PanelQ5_0& panel, const BlockQ5_0& block, int o) {
    pack_nibbles(panel, block, o);
    pack_fifth_bits(panel, block, o);
}

void pack_block(PanelQ5_1& panel, const BlockQ5_1& block, int o) {
    pack_nibbles(panel, block, o);
    pack_fifth_bits(panel, block, o);
    panel.m[o] = block.m;
}

// The rows of a panel in the file; the rows beyond the matrix are null.
using SourceRows = const std::byte* [panel_outputs];

template <class Block>
Block source_block(const std::byte* row, size_t b) {
    Block block{};
    if (row) std::memcpy(&block, row + b * sizeof(Block), sizeof(Block));
    return block;
}

template <class Panel, class Block>
void pack_blocks(std::byte* to, const SourceRows& rows, size_t n_blocks) {
    for (size_t b = 0; b < n_blocks; ++b)
        for (int o = 0; o < panel_outputs; ++o) pack_block(reinterpret_cast<Panel*>(to)[b], source_block<Block>(rows[o], b), o);
}

template <class Element>
void pack_elements(std::byte* to, const SourceRows& rows, size_t width) {
    for (size_t k = 0; k < width; ++k)
        for (size_t o = 0; o < panel_outputs; ++o)
            reinterpret_cast<Element*>(to)[k * panel_outputs + o] = source_block<Element>(rows[o], k);
}

void pack_panel(std::byte* to, BlockType type, const SourceRows& rows, size_t width) {
    switch (type) {
        case BlockType::q4_k:
            return pack_blocks<PanelQ4K, BlockQ4_K>(to, rows, width / 256);
        case BlockType::q5_k:
            return pack_blocks<PanelQ5K, BlockQ5_K>(to, rows, width / 256);
        case BlockType::q6_k:
            return pack_blocks<PanelQ6K, BlockQ6_K>(to, rows, width / 256);
        case BlockType::q2_k:
            return pack_blocks<PanelQ2K, BlockQ2_K>(to, rows, width / 256);
        case BlockType::q3_k:
            return pack_blocks<PanelQ6K, BlockQ3_K>(to, rows, width / 256);
        case BlockType::q8_0:
            return pack_blocks<PanelQ8_0, BlockQ8_0>(to, rows, width / 32);
        case BlockType::q4_0:
            return pack_blocks<PanelQ4_0, BlockQ4_0>(to, rows, width / 32);
        case BlockType::q4_1:
            return pack_blocks<PanelQ4_1, BlockQ4_1>(to, rows, width / 32);
        case BlockType::q5_0:
            return pack_blocks<PanelQ5_0, BlockQ5_0>(to, rows, width / 32);
        case BlockType::q5_1:
            return pack_blocks<PanelQ5_1, BlockQ5_1>(to, rows, width / 32);
        case BlockType::iq4_nl:
            return pack_blocks<PanelIQ4NL, BlockIQ4_NL>(to, rows, width / 32);
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

PackedMatrix::PackedMatrix(BlockType source_type, int n_outputs, int width)
    : source_type_(source_type), type_(packed_type(source_type)), n_outputs_(n_outputs), width_(width) {
    panel_bytes_ = (packed_bytes(type_, static_cast<size_t>(width)) + panel_alignment - 1) / panel_alignment * panel_alignment;
    data_ = static_cast<std::byte*>(::operator new(bytes(), alignment));
}

PackedMatrix::PackedMatrix(PackedMatrix&& other) noexcept { *this = std::move(other); }

PackedMatrix& PackedMatrix::operator=(PackedMatrix&& other) noexcept {
    std::swap(source_type_, other.source_type_);
    std::swap(type_, other.type_);
    std::swap(n_outputs_, other.n_outputs_);
    std::swap(width_, other.width_);
    std::swap(panel_bytes_, other.panel_bytes_);
    std::swap(data_, other.data_);
    return *this;
}

PackedMatrix::~PackedMatrix() { ::operator delete(data_, alignment); }

void PackedMatrix::pack(std::span<const std::byte> source, int first_panel, int n_panels) {
    const size_t width = static_cast<size_t>(width_), stride = row_bytes(source_type_, width);
    if (const size_t expected = stride * static_cast<size_t>(n_outputs_); source.size() != expected)
        throw InputError("weight matrix", std::to_string(source.size()) + " bytes where its shape asks for " + std::to_string(expected));
    for (int p = first_panel; p < first_panel + n_panels; ++p) {
        SourceRows rows = {};
        for (int o = 0; o < panel_outputs && panel_outputs * p + o < n_outputs_; ++o)
            rows[o] = source.subspan(static_cast<size_t>(panel_outputs * p + o) * stride, stride).data();
        pack_panel(data_ + static_cast<size_t>(p) * panel_bytes_, source_type_, rows, width);
    }
}

BlockType PackedMatrix::type() const { return type_; }
int PackedMatrix::width() const { return width_; }
size_t PackedMatrix::panel_bytes() const { return panel_bytes_; }
const std::byte* PackedMatrix::panel(int p) const { return data_ + static_cast<size_t>(p) * panel_bytes_; }

}  // namespace kylin
