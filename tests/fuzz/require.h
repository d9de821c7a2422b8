// What a fuzz target claims. A broken claim ends the process, which libFuzzer reports with the input.
#pragma once
#include <cstdio>

namespace kylin {

inline void require(bool claim, const char* what) {
    if (claim) return;
    std::fprintf(stderr, "broken: %s\n", what);
    __builtin_trap();
}

}  // namespace kylin
