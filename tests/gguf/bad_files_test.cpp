// Every way a GGUF file can be broken, by name: one clear error each, bounded memory, no crash.
#include <chrono>
#include <functional>
#include <gtest/gtest.h>
#include <limits>

#include "allocation_meter.h"
#include "base/error.h"
#include "base/random.h"
#include "gguf/file.h"
#include "gguf/header.h"
#include "gguf_bytes.h"

namespace kylin::gguf {
namespace {

using kylin::testing::AllocationMeter;
using kylin::testing::GgufBytes;

constexpr uint64_t huge_counts[] = {1000000000, uint64_t{1} << 60, uint64_t{1} << 63, std::numeric_limits<uint64_t>::max()};
constexpr size_t fixed_memory = size_t{64} << 20;

std::string error_of(const std::string& text) {
    AllocationMeter meter;
    std::string message = "no error";
    try {
        File::parse(kylin::testing::as_bytes(text), "m.gguf");
    } catch (const InputError& error) {
        message = error.what();
    }
    EXPECT_LE(meter.peak(), fixed_memory + 2 * text.size());
    return message;
}

// The text after the file's name, with the place.
void expect_error(const GgufBytes& bytes, const std::string& what, uint64_t offset) {
    EXPECT_EQ(error_of(bytes.text()), "m.gguf: " + what + " at offset " + std::to_string(offset));
}

// A file with one entry of each type and two tensors.
GgufBytes good_file() {
    GgufBytes b;
    b.header(2, 5);
    b.entry("general.alignment", ValueType::u32, uint32_t{32});
    b.string("name").type(ValueType::string).string("small");
    b.array("tokens", ValueType::string, 2).string("a").string("bc");
    b.array("numbers", ValueType::f32, 3).put(1.0f).put(2.0f).put(3.0f);
    b.array("flags", ValueType::boolean, 2).put(uint8_t{1}).put(uint8_t{0});
    b.tensor("a.weight", {32, 2}, 8, 0).tensor("b.weight", {4}, 0, 96);
    return b.pad().data(112);
}

TEST(BadFile, TheGoodOneIsGood) { EXPECT_EQ(error_of(good_file().text()), "no error"); }

TEST(BadFile, Empty) { EXPECT_EQ(error_of(""), "m.gguf: the file is empty at offset 0"); }

TEST(BadFile, TruncatedAtEveryByte) {
    const std::string whole = good_file().text();
    for (size_t n = 0; n < whole.size(); ++n) ASSERT_NE(error_of(whole.substr(0, n)), "no error") << n << " bytes of " << whole.size();
}

TEST(BadFile, EverySingleBitFlipOfHeaderAndMetadata) {
    const std::string whole = good_file().text();
    size_t n_refused = 0;
    for (size_t bit = 0; bit < 8 * (whole.size() - 112); ++bit) {
        std::string flipped = whole;
        flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
        n_refused += error_of(flipped) != "no error";
    }
    // Flips in names and values give another valid file; those in lengths, counts, types and shapes must not.
    EXPECT_GT(n_refused, whole.size());
}

TEST(BadFile, RandomBytesAndSplices) {
    const std::string whole = good_file().text();
    Random random(1);
    for (int i = 0; i < 20000; ++i) {
        std::string text = whole;
        for (uint64_t n = 1 + random.below(6); n > 0; --n) text[random.below(text.size())] = static_cast<char>(random.next());
        if (i % 2) {
            const size_t from = random.below(text.size()), to = random.below(text.size());
            text = text.substr(0, to) + whole.substr(from);
        }
        error_of(text);
    }
}

TEST(BadFile, WrongMagic) {
    expect_error(GgufBytes().raw("GGML").put(uint32_t{3}), "is not a GGUF file", 0);
    expect_error(GgufBytes().raw("PK\x03\x04 something else"), "is not a GGUF file", 0);
}

TEST(BadFile, UnreadableVersions) {
    expect_error(GgufBytes().header(0, 0, 0), "has GGUF version 0, versions 2 and 3 can be read", 4);
    expect_error(GgufBytes().header(0, 0, 4), "has GGUF version 4, versions 2 and 3 can be read", 4);
    expect_error(GgufBytes().header(0, 0, 1), "is a GGUF file of version 1, which no longer can be read; convert the model again", 4);
}

TEST(BadFile, BigEndian) {
    expect_error(GgufBytes().header(0, 0, 0x03000000), "is a big-endian GGUF file, only little-endian files can be read", 4);
    expect_error(GgufBytes().header(0, 0, 0x02000000), "is a big-endian GGUF file, only little-endian files can be read", 4);
}

TEST(BadFile, CountsBeyondTheFile) {
    for (const uint64_t n : huge_counts) {
        const std::string more = " is " + std::to_string(n) + ", more than the file can hold";
        expect_error(GgufBytes().header(n, 0), "the number of tensors" + more, 8);
        expect_error(GgufBytes().header(0, n), "the number of metadata entries" + more, 16);
    }
}

TEST(BadFile, MoreTensorsOrEntriesThanCanBeRead) {
    constexpr uint64_t two_million = 2000000;
    expect_error(GgufBytes().header(two_million, 0).data(two_million * 33), "the number of tensors is 2000000, at most 262144 can be read",
                 8);
    expect_error(GgufBytes().header(0, two_million).data(two_million * 14),
                 "the number of metadata entries is 2000000, at most 262144 can be read", 16);
}

TEST(BadFile, KeyOfNoLength) { expect_error(GgufBytes().header(0, 1).entry("", ValueType::u32, 1u).data(20), "a key is empty", 24); }

TEST(BadFile, KeyLongerThanTheFile) {
    expect_error(GgufBytes().header(0, 1).put(uint64_t{21}).data(20), "the length of a key is 21, more than the file can hold", 24);
    for (const uint64_t n : huge_counts)
        expect_error(GgufBytes().header(0, 1).put(n).data(20),
                     "the length of a key is " + std::to_string(n) + ", more than the file can hold", 24);
}

TEST(BadFile, KeyTooLong) {
    expect_error(GgufBytes().header(0, 1).entry(std::string(65536, 'k'), ValueType::u32, 1u),
                 "a key has 65536 bytes, at most 65535 are allowed", 24);
}

TEST(BadFile, KeyThatIsNoText) {
    expect_error(GgufBytes().header(0, 1).entry("a\xFFz", ValueType::u32, 1u), "a key is not valid UTF-8", 24);
    expect_error(GgufBytes().header(0, 1).entry(std::string_view("a\0z", 3), ValueType::u32, 1u), "a key holds a control character", 24);
    expect_error(GgufBytes().header(0, 1).entry("a\x1b[31m", ValueType::u32, 1u), "a key holds a control character", 24);
    expect_error(GgufBytes().header(0, 1).entry("a\x7F", ValueType::u32, 1u), "a key holds a control character", 24);
}

TEST(BadFile, DuplicateKey) {
    GgufBytes b;
    b.header(0, 3).entry("a", ValueType::u32, 1u).entry("b", ValueType::u32, 1u);
    const uint64_t third = b.size();
    expect_error(b.entry("a", ValueType::u8, uint8_t{1}), "key a appears twice", third);
}

TEST(BadFile, UnknownValueType) {
    GgufBytes b;
    b.header(0, 1).string("a");
    const uint64_t at = b.size();
    expect_error(b.put(uint32_t{13}).data(8), "value type 13 is unknown", at);
}

TEST(BadFile, BooleanThatIsNeitherTrueNorFalse) {
    GgufBytes b;
    b.header(0, 1).string("a").type(ValueType::boolean);
    const uint64_t at = b.size();
    expect_error(b.put(uint8_t{2}), "a boolean is 2", at);
}

TEST(BadFile, ArrayOfArrays) {
    GgufBytes b;
    b.header(0, 1).string("a").type(ValueType::array);
    const uint64_t at = b.size();
    expect_error(b.type(ValueType::array).put(uint64_t{1}).data(40), "an array of arrays is not supported", at);
}

TEST(BadFile, ArrayOfAnUnknownTypeDoesNotLoop) {
    GgufBytes b;
    b.header(0, 1).string("a").type(ValueType::array);
    const uint64_t at = b.size();
    expect_error(b.put(uint32_t{77}).put(uint64_t{1} << 60), "value type 77 is unknown", at);
}

TEST(BadFile, ArraysLongerThanTheFile) {
    for (uint32_t t = 0; t <= static_cast<uint32_t>(ValueType::f64); ++t) {
        if (static_cast<ValueType>(t) == ValueType::array) continue;
        for (const uint64_t n : huge_counts) {
            GgufBytes b;
            b.array("a", static_cast<ValueType>(t), n);
            expect_error(GgufBytes().header(0, 1).raw(b.text()).data(64),
                         "the length of an array is " + std::to_string(n) + ", more than the file can hold", 24 + b.size() - 8);
        }
    }
}

TEST(BadFile, ArrayWhoseSizeWraps) {
    // 2^61 values of 8 bytes are 2^64 bytes.
    GgufBytes b;
    b.header(0, 1).string("a").type(ValueType::array).type(ValueType::u64);
    const uint64_t at = b.size();
    expect_error(b.put(uint64_t{1} << 61).data(64), "the length of an array is 2305843009213693952, more than the file can hold", at);
}

TEST(BadFile, StringsBeyondTheEnd) {
    GgufBytes b;
    b.header(0, 1).array("a", ValueType::string, 2).string("one");
    const uint64_t at = b.size();
    expect_error(b.put(uint64_t{6}).raw("five."), "the length of a string is 6, more than the file can hold", at);
}

TEST(BadFile, MoreStringsThanCanBeRead) {
    for (const uint64_t n_before : {uint64_t{0}, uint64_t{1}, max_strings / 2}) {
        GgufBytes b;
        b.header(0, 2).array("a", ValueType::string, n_before).raw(std::string(n_before * 8, '\0')).string("b").type(ValueType::array);
        const uint64_t at = b.size(), n = max_strings + 1 - n_before;
        b.type(ValueType::string).put(n).raw(std::string(n * 8, '\0'));
        expect_error(b, "more than 1048576 strings in arrays", at);
    }
}

TEST(BadFile, Alignments) {
    for (const uint32_t alignment : {0u, 3u, 4u, 48u, 1u << 21, 1u << 31})
        expect_error(GgufBytes().header(0, 1).entry("general.alignment", ValueType::u32, alignment),
                     "general.alignment is " + std::to_string(alignment) + ", a power of two from 8 to 2^20 is needed", 24);
    expect_error(GgufBytes().header(0, 1).entry("general.alignment", ValueType::u64, uint64_t{32}),
                 "general.alignment has type u64, u32 is needed", 24);
}

// ---- Tensors: one description, then what follows it.

GgufBytes one_tensor(std::string_view name, std::initializer_list<uint64_t> ne, uint32_t type = 0, uint64_t offset = 0) {
    return GgufBytes().header(1, 0).tensor(name, ne, type, offset).pad().data(4096);
}

TEST(BadFile, TensorNames) {
    expect_error(one_tensor("", {4}), "a tensor name is empty", 24);
    expect_error(one_tensor(std::string(64, 'n'), {4}), "a tensor name has 64 bytes, at most 63 are allowed", 24);
    expect_error(one_tensor(std::string(1 << 20, 'n'), {4}), "a tensor name has 1048576 bytes, at most 63 are allowed", 24);
    expect_error(one_tensor("a\n", {4}), "a tensor name holds a control character", 24);
    EXPECT_EQ(error_of(one_tensor(std::string(63, 'n'), {4}).text()), "no error");
}

TEST(BadFile, DuplicateTensor) {
    GgufBytes b;
    b.header(3, 0).tensor("a", {4}, 0, 0).tensor("b", {4}, 0, 32);
    const uint64_t third = b.size();
    expect_error(b.tensor("a", {4}, 0, 64).pad().data(96), "tensor a appears twice", third);
}

TEST(BadFile, NumberOfDimensions) {
    constexpr uint64_t at = 24 + 8 + 1;
    for (const uint32_t n : {0u, 5u, std::numeric_limits<uint32_t>::max()})
        expect_error(GgufBytes().header(1, 0).string("t").put(n).data(200),
                     "tensor t has " + std::to_string(n) + " dimensions, 1 to 4 are allowed", at);
}

TEST(BadFile, DimensionOfZero) {
    expect_error(one_tensor("t", {0}), "tensor t has a dimension of 0", 24 + 9 + 4);
    expect_error(one_tensor("t", {4, 0}), "tensor t has a dimension of 0", 24 + 9 + 4 + 8);
}

TEST(BadFile, ShapesThatOverflow) {
    constexpr uint64_t one = 1, minus_one = std::numeric_limits<uint64_t>::max();
    constexpr uint64_t at = 24 + 9;
    expect_error(one_tensor("t", {minus_one}), "the shape of tensor t overflows", at);
    expect_error(one_tensor("t", {one << 63}), "the shape of tensor t overflows", at);
    expect_error(one_tensor("t", {one << 32, one << 32}), "the shape of tensor t overflows", at);              // wraps to 0
    expect_error(one_tensor("t", {(one << 32) + 1, (one << 32) + 1}), "the shape of tensor t overflows", at);  // wraps to a small number
    expect_error(one_tensor("t", {one << 16, one << 16, one << 16, one << 16}), "the shape of tensor t overflows", at);
}

TEST(BadFile, ShapeBeyondTheFile) {
    expect_error(one_tensor("t", {1025}), "the data of tensor t (4100 bytes at offset 0 of the data) ends beyond the file", 24);
    expect_error(one_tensor("t", {uint64_t{1} << 61}),
                 "the data of tensor t (9223372036854775808 bytes at offset 0 of the data) ends beyond the file", 24);
    EXPECT_EQ(error_of(one_tensor("t", {1024}).text()), "no error");
}

TEST(BadFile, RowThatIsNoWholeNumberOfBlocks) {
    expect_error(one_tensor("t", {31, 2}, 8), "tensor t has rows of 31 values, not a multiple of the 32 in a block of q8_0", 24 + 9);
    expect_error(one_tensor("t", {128, 2}, 12), "tensor t has rows of 128 values, not a multiple of the 256 in a block of q4_k", 24 + 9);
}

TEST(BadFile, TensorTypes) {
    constexpr uint64_t at = 24 + 9 + 4 + 8;
    expect_error(one_tensor("t", {32}, 4), "tensor type 4 (Q4_2, removed from the format) is not supported", at);
    expect_error(one_tensor("t", {32}, 16), "tensor type 16 (IQ2_XXS) is not supported", at);
    expect_error(one_tensor("t", {32}, 31), "tensor type 31 (Q4_0_4_4, removed from the format) is not supported", at);
    expect_error(one_tensor("t", {32}, 200), "tensor type 200 is unknown", at);
    expect_error(one_tensor("t", {32}, std::numeric_limits<uint32_t>::max()), "tensor type 4294967295 is unknown", at);
}

TEST(BadFile, TensorOffsets) {
    expect_error(one_tensor("t", {4}, 0, 16), "tensor t lies at offset 16 of the data, not a multiple of the alignment 32", 24);
    expect_error(one_tensor("t", {4}, 0, 4096), "the data of tensor t (16 bytes at offset 4096 of the data) ends beyond the file", 24);
    const uint64_t wraps = std::numeric_limits<uint64_t>::max() - 31;
    expect_error(one_tensor("t", {4}, 0, wraps),
                 "the data of tensor t (16 bytes at offset 18446744073709551584 of the data) ends beyond the file", 24);
}

TEST(BadFile, OverlappingTensors) {
    GgufBytes b;
    b.header(2, 0).tensor("a", {16}, 0, 0);
    const uint64_t second = b.size();
    expect_error(b.tensor("b", {4}, 0, 32).pad().data(96), "the data of tensors a and b overlap", second);
    expect_error(GgufBytes().header(2, 0).tensor("b", {4}, 0, 0).tensor("a", {16}, 0, 0).pad().data(96),
                 "the data of tensors b and a overlap", second);
}

TEST(BadFile, DataOneByteShort) {
    std::string text = GgufBytes().header(1, 0).tensor("t", {32, 2}, 8, 0).pad().data(68).text();
    EXPECT_EQ(error_of(text), "no error");
    text.pop_back();
    EXPECT_EQ(error_of(text), "m.gguf: the data of tensor t (68 bytes at offset 0 of the data) ends beyond the file at offset 24");
}

// ---- Large but allowed: linear time, memory in proportion.

TEST(BadFile, AsManyEntriesAndTensorsAsAreAllowed) {
    GgufBytes b;
    b.header(max_tensors, max_entries);
    for (uint64_t i = 0; i < max_entries; ++i) b.entry("k" + std::to_string(i), ValueType::u8, uint8_t{0});
    for (uint64_t i = 0; i < max_tensors; ++i) b.tensor("t" + std::to_string(i), {1}, 0, 32 * i);
    b.pad().data(32 * max_tensors);
    const auto start = std::chrono::steady_clock::now();
    EXPECT_EQ(error_of(b.text()), "no error");
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    EXPECT_LT(taken.count(), static_cast<double>(b.size()) / 1e6);  // the rule is 1 s per MB
}

TEST(BadFile, ManyEqualKeysAreFoundInLinearTime) {
    GgufBytes b;
    b.header(0, max_entries);
    const std::string key(200, 'k');
    for (uint64_t i = 0; i < max_entries; ++i) b.entry(key, ValueType::u8, uint8_t{0});
    const auto start = std::chrono::steady_clock::now();
    EXPECT_NE(error_of(b.text()).find("appears twice"), std::string::npos);
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    EXPECT_LT(taken.count(), static_cast<double>(b.size()) / 1e6);
}

TEST(BadFile, AsManyStringsAsAreAllowed) {
    for (const size_t length : {size_t{0}, size_t{16}}) {  // 16: the shortest that needs memory of its own
        GgufBytes b;
        b.header(0, 1).array("tokens", ValueType::string, max_strings);
        const std::string token(length, 't');
        for (uint64_t i = 0; i < max_strings; ++i) b.string(token);
        EXPECT_EQ(error_of(b.text()), "no error");
    }
}

// A count is compared before anything of its size is reserved: the largest allocation stays near the file's size.
TEST(BadFile, NothingIsReservedForAClaim) {
    for (const uint64_t n : {uint64_t{100000}, uint64_t{1} << 40}) {
        const std::string text = GgufBytes().header(0, 1).array("a", ValueType::string, n).data(1000).text();
        AllocationMeter meter;
        EXPECT_THROW(File::parse(kylin::testing::as_bytes(text)), InputError);
        EXPECT_LT(meter.largest(), size_t{16} << 10);
    }
}

TEST(BadFile, OddPaths) {
    for (const auto& [path, what] :
         {std::pair("/tmp", "is a directory"), std::pair("/dev/zero", "is a device"), std::pair("/nowhere", "cannot be opened")})
        try {
            File::open(path);
            ADD_FAILURE() << path;
        } catch (const InputError& error) {
            EXPECT_EQ(std::string(error.what()).find(std::string(path) + ": " + what), 0u) << error.what();
        }
}

}  // namespace
}  // namespace kylin::gguf
