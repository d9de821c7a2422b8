// A range of characters as ranges of the bytes that UTF-8 writes for them.
#pragma once
#include <cstdint>
#include <vector>

#include "grammar/grammar.h"

namespace kylin::grammar {

struct ByteRange {
    uint8_t low, high;
};

// Every sequence of bytes that takes one byte from each range is one of the characters, and together they are all of them. Surrogates
// are no characters and are left out.
std::vector<std::vector<ByteRange>> utf8_sequences(CharRange range);

}  // namespace kylin::grammar
