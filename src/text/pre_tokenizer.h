// Splits text into the pieces inside which byte-level BPE may merge: the qwen2 expression, read by hand.
//   (?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])  contraction
//   | [^\r\n\p{L}\p{N}]?\p{L}+                                  word, with one leading sign or space
//   | \p{N}                                                     one digit
//   |  ?[^\s\p{L}\p{N}]+[\r\n]*                                 signs, with a leading space and the line ends after them
//   | \s*[\r\n]+ | \s+(?!\S) | \s+                              line ends; spaces, the last of which stays with the next word
#pragma once
#include <string_view>

namespace kylin {

// The piece that begins `text`, which is valid UTF-8 and not empty. Reads each character at most a few times and never recurses.
std::string_view next_qwen2_piece(std::string_view text);

}  // namespace kylin
