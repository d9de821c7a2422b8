// A progress bar on stderr. Silent when stderr is not a terminal.
#pragma once
#include <string>

namespace kylin::cli {

// Draws `label` and the share that is done, and wipes its line when it ends. One thread.
class ProgressBar {
public:
    explicit ProgressBar(std::string label);
    ~ProgressBar();
    ProgressBar(const ProgressBar&) = delete;
    ProgressBar& operator=(const ProgressBar&) = delete;
    void show(double share);  // 0 .. 1

private:
    std::string label_;
    int percent_ = -1;  // as last drawn
    bool on_;
};

}  // namespace kylin::cli
