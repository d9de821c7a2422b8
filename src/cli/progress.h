// A progress bar on stderr, for work that takes its time. Silent when stderr is not a terminal.
#pragma once
#include <chrono>
#include <string>

namespace kylin::cli {

// Draws `label` and the share that is done, half a second after it began, and wipes its line when it ends. One thread.
class ProgressBar {
public:
    explicit ProgressBar(std::string label);
    ~ProgressBar();
    ProgressBar(const ProgressBar&) = delete;
    ProgressBar& operator=(const ProgressBar&) = delete;
    void show(double share);  // 0 .. 1; 0 is drawn at once, for work that cannot tell how far it is

private:
    std::string label_;
    std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
    int percent_ = -1;  // as last drawn
    bool on_;
};

}  // namespace kylin::cli
