// Reads never pass the end, and errors name the offset where reading stopped.
#include "base/byte_reader.h"

#include <array>
#include <functional>
#include <gtest/gtest.h>
#include <limits>

namespace kylin {
namespace {

constexpr std::array<std::byte, 10> bytes = {std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}, std::byte{5},
                                             std::byte{6}, std::byte{7}, std::byte{8}, std::byte{9}, std::byte{10}};

std::string message_of(const std::function<void()>& action) {
    try {
        action();
    } catch (const InputError& error) {
        return error.what();
    }
    return "no error";
}

TEST(ByteReader, ReadsLittleEndianInOrder) {
    ByteReader in(bytes, "file");
    EXPECT_EQ(in.read<uint16_t>("a"), 0x0201);
    EXPECT_EQ(in.read<uint32_t>("b"), 0x06050403u);
    EXPECT_EQ(in.offset(), 6u);
    EXPECT_EQ(in.remaining(), 4u);
}

TEST(ByteReader, ReadingBeyondTheEndNamesWhatAndWhere) {
    ByteReader in(bytes, "file");
    in.take(4, "start");
    EXPECT_EQ(message_of([&] { in.read<uint64_t>("a length"); }), "file: a length ends beyond the file at offset 4");
    EXPECT_EQ(in.offset(), 4u);
}

TEST(ByteReader, TakingHugeCountsDoesNotWrap) {
    ByteReader in(bytes, "file");
    in.take(4, "start");
    EXPECT_THROW(in.take(std::numeric_limits<uint64_t>::max(), "all"), InputError);
    EXPECT_THROW(in.take(std::numeric_limits<uint64_t>::max() - 3, "all"), InputError);
    EXPECT_EQ(in.take(6, "rest").size(), 6u);
}

TEST(ByteReader, CountsAreComparedWithTheBytesLeft) {
    std::array<std::byte, 16> counted = {std::byte{3}};  // 3, then 8 bytes
    EXPECT_EQ(ByteReader(counted, "file").read_count(2, "the count"), 3u);
    EXPECT_EQ(message_of([&] { ByteReader(counted, "file").read_count(3, "the count"); }),
              "file: the count is 3, more than the file can hold at offset 0");
    counted[7] = std::byte{0x80};  // count * 2 wraps to 6
    EXPECT_THROW(ByteReader(counted, "file").read_count(2, "the count"), InputError);
}

}  // namespace
}  // namespace kylin
