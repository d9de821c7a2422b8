#include "grammar/utf8_ranges.h"

#include <algorithm>

namespace kylin::grammar {
namespace {

constexpr CharRange by_length[] = {{0, 0x7F}, {0x80, 0x7FF}, {0x800, 0xD7FF}, {0xE000, 0xFFFF}, {0x10000, 0x10FFFF}};

using Bytes = std::vector<uint8_t>;

Bytes utf8(char32_t c) {
    const auto byte = [](char32_t x) { return static_cast<uint8_t>(x); };
    const auto rest = [&](int shift) { return byte(0x80 | ((c >> shift) & 0x3F)); };
    if (c < 0x80) return {byte(c)};
    if (c < 0x800) return {byte(0xC0 | c >> 6), rest(0)};
    if (c < 0x10000) return {byte(0xE0 | c >> 12), rest(6), rest(0)};
    return {byte(0xF0 | c >> 18), rest(12), rest(6), rest(0)};
}

// Splits until all bytes behind the first that differs run over their full range. The ends have the same number of bytes.
void split(CharRange range, std::vector<std::vector<ByteRange>>& out) {
    const Bytes low = utf8(range.low), high = utf8(range.high);
    for (int n_free = 1; n_free < static_cast<int>(low.size()); ++n_free) {
        const char32_t block = char32_t{1} << (6 * n_free), mask = block - 1;
        if ((range.low & ~mask) == (range.high & ~mask)) break;  // the ends differ in those bytes alone
        if ((range.low & mask) != 0) {
            split({range.low, range.low | mask}, out);
            return split({(range.low | mask) + 1, range.high}, out);
        }
        if ((range.high & mask) != mask) {
            split({range.low, (range.high & ~mask) - 1}, out);
            return split({range.high & ~mask, range.high}, out);
        }
    }
    auto& ranges = out.emplace_back();
    for (size_t i = 0; i < low.size(); ++i) ranges.push_back({low[i], high[i]});
}

}  // namespace

std::vector<std::vector<ByteRange>> utf8_sequences(CharRange range) {
    std::vector<std::vector<ByteRange>> out;
    for (const CharRange& part : by_length) {
        const CharRange common{std::max(range.low, part.low), std::min(range.high, part.high)};
        if (common.low <= common.high) split(common, out);
    }
    return out;
}

}  // namespace kylin::grammar
