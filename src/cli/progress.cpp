#include "cli/progress.h"

#include <algorithm>
#include <cstdio>
#include <unistd.h>

namespace kylin::cli {
namespace {

constexpr int bar_width = 30;
constexpr std::chrono::milliseconds patience{500};

}  // namespace

ProgressBar::ProgressBar(std::string label) : label_(std::move(label)), on_(isatty(STDERR_FILENO) != 0) {}

ProgressBar::~ProgressBar() {
    if (percent_ >= 0) std::fputs("\r\x1b[K", stderr);
}

void ProgressBar::show(double share) {
    const int percent = static_cast<int>(std::clamp(share, 0.0, 1.0) * 100);
    const bool early = share > 0 && std::chrono::steady_clock::now() - began_ < patience;
    if (!on_ || percent == percent_ || early) return;
    percent_ = percent;
    const std::string done(static_cast<size_t>(percent * bar_width / 100), '#');
    std::fprintf(stderr, "\r%s [%-*s] %3d%%", label_.c_str(), bar_width, done.c_str(), percent);
    std::fflush(stderr);
}

}  // namespace kylin::cli
