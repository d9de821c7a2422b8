// Reads little-endian values from bytes that nobody has checked yet. Every read is compared with the bytes left.
#pragma once
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/checked.h"
#include "base/error.h"

namespace kylin {

static_assert(std::endian::native == std::endian::little, "values are copied as they lie in the file");

class ByteReader {
public:
    // Views `bytes`, which must outlive the reader; `name` is the file's, for messages.
    ByteReader(std::span<const std::byte> bytes, std::string name) : bytes_(bytes), name_(std::move(name)) {}

    uint64_t offset() const { return offset_; }
    uint64_t remaining() const { return bytes_.size() - offset_; }

    template <class T>
    requires std::is_arithmetic_v<T> T read(std::string_view what) {
        T value;
        std::memcpy(&value, take(sizeof(T), what).data(), sizeof(T));
        return value;
    }

    // The next n bytes; InputError when the file ends before.
    std::span<const std::byte> take(uint64_t n, std::string_view what) {
        if (n > remaining()) fail(std::string(what) + " ends beyond the file");
        const auto taken = bytes_.subspan(offset_, n);
        offset_ += n;
        return taken;
    }

    // A count of elements that take at least `least_bytes` each; InputError when so many cannot follow.
    uint64_t read_count(uint64_t least_bytes, std::string_view what) {
        const uint64_t at = offset_;
        const auto count = read<uint64_t>(what);
        if (!(Checked(count) * least_bytes).within(remaining())) {
            offset_ = at;
            fail(std::string(what) + " is " + std::to_string(count) + ", more than the file can hold");
        }
        return count;
    }

    [[noreturn]] void fail(const std::string& what) const { throw InputError(name_, what, offset_); }
    [[noreturn]] void fail_at(uint64_t offset, const std::string& what) const { throw InputError(name_, what, offset); }

private:
    std::span<const std::byte> bytes_;
    std::string name_;
    uint64_t offset_ = 0;
};

}  // namespace kylin
