// The tensor element types of GGUF: one table (name, id, values per block, bytes per block) and the layouts in memory.
// Layouts: ggml's file format; every struct is checked against the table.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace kylin {

// clang-format off
//       name  id  values bytes
#define KYLIN_BLOCK_TYPES(type) \
    type(f32,    0,    1,    4) \
    type(f16,    1,    1,    2) \
    type(q4_0,   2,   32,   18) \
    type(q4_1,   3,   32,   20) \
    type(q5_0,   6,   32,   22) \
    type(q5_1,   7,   32,   24) \
    type(q8_0,   8,   32,   34) \
    type(q2_k,  10,  256,   84) \
    type(q3_k,  11,  256,  110) \
    type(q4_k,  12,  256,  144) \
    type(q5_k,  13,  256,  176) \
    type(q6_k,  14,  256,  210) \
    type(iq4_nl, 20,  32,   18) \
    type(bf16,  30,    1,    2)
// clang-format on

enum class BlockType : uint32_t {
#define KYLIN_BLOCK_TYPE_ENUM(name, id, values, bytes) name = (id),
    KYLIN_BLOCK_TYPES(KYLIN_BLOCK_TYPE_ENUM)
#undef KYLIN_BLOCK_TYPE_ENUM
};

struct BlockTypeInfo {
    std::string_view name;
    BlockType type;
    uint32_t values;  // per block
    uint32_t bytes;   // per block
};

inline constexpr auto block_type_table = std::to_array<BlockTypeInfo>({
#define KYLIN_BLOCK_TYPE_INFO(name, id, values, bytes) {#name, BlockType::name, values, bytes},
    KYLIN_BLOCK_TYPES(KYLIN_BLOCK_TYPE_INFO)
#undef KYLIN_BLOCK_TYPE_INFO
});

constexpr std::optional<BlockTypeInfo> block_type_by_id(uint32_t id) {
    for (const BlockTypeInfo& t : block_type_table)
        if (static_cast<uint32_t>(t.type) == id) return t;
    return std::nullopt;
}

// Names compare in lower case: "q4_k".
constexpr std::optional<BlockTypeInfo> block_type_by_name(std::string_view name) {
    for (const BlockTypeInfo& t : block_type_table)
        if (t.name == name) return t;
    return std::nullopt;
}

constexpr const BlockTypeInfo& info(BlockType type) {
    for (const BlockTypeInfo& t : block_type_table)
        if (t.type == type) return t;
    return block_type_table[0];
}

struct BlockQ4_0 {
    uint16_t d;
    uint8_t qs[16];
};
struct BlockIQ4_NL {
    uint16_t d;
    uint8_t qs[16];
};
struct BlockQ4_1 {
    uint16_t d, m;
    uint8_t qs[16];
};
struct BlockQ5_0 {
    uint16_t d;
    uint8_t qh[4];
    uint8_t qs[16];
};
struct BlockQ5_1 {
    uint16_t d, m;
    uint8_t qh[4];
    uint8_t qs[16];
};
struct BlockQ8_0 {
    uint16_t d;
    int8_t qs[32];
};
struct BlockQ2_K {
    uint8_t scales[16];
    uint8_t qs[64];
    uint16_t d, dmin;
};
struct BlockQ3_K {
    uint8_t hmask[32];
    uint8_t qs[64];
    uint8_t scales[12];
    uint16_t d;
};
struct BlockQ4_K {
    uint16_t d, dmin;
    uint8_t scales[12];
    uint8_t qs[128];
};
struct BlockQ5_K {
    uint16_t d, dmin;
    uint8_t scales[12];
    uint8_t qh[32];
    uint8_t qs[128];
};
struct BlockQ6_K {
    uint8_t ql[128];
    uint8_t qh[64];
    int8_t scales[16];
    uint16_t d;
};

static_assert(sizeof(BlockQ4_0) == info(BlockType::q4_0).bytes && sizeof(BlockQ4_1) == info(BlockType::q4_1).bytes);
static_assert(sizeof(BlockIQ4_NL) == info(BlockType::iq4_nl).bytes);
static_assert(sizeof(BlockQ5_0) == info(BlockType::q5_0).bytes && sizeof(BlockQ5_1) == info(BlockType::q5_1).bytes);
static_assert(sizeof(BlockQ8_0) == info(BlockType::q8_0).bytes && sizeof(BlockQ2_K) == info(BlockType::q2_k).bytes);
static_assert(sizeof(BlockQ3_K) == info(BlockType::q3_k).bytes && sizeof(BlockQ4_K) == info(BlockType::q4_k).bytes);
static_assert(sizeof(BlockQ5_K) == info(BlockType::q5_k).bytes && sizeof(BlockQ6_K) == info(BlockType::q6_k).bytes);

// What the nibbles of IQ4_NL stand for. Not inline: its copy in an instruction set's object must not be the one that all others get.
constexpr int8_t iq4_nl_values[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

// Bytes of one row of `values` values; `values` must be a multiple of the block.
constexpr size_t row_bytes(BlockType type, size_t values) { return values / info(type).values * info(type).bytes; }

}  // namespace kylin
