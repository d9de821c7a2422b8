// Workers that spin for a while and then sleep. Results never depend on how many there are: a task owns its outputs.
#pragma once
#include <functional>
#include <memory>
#include <vector>

namespace kylin {

class ThreadPool {
public:
    struct Options {
        bool spins = true;  // else a worker sleeps as soon as it has nothing to do
        bool pins = true;   // each worker stays on a core of its own, if there is a thread for every core this process may use
    };
    // The caller is one of the threads; at least 1.
    explicit ThreadPool(int n_threads) : ThreadPool(n_threads, Options{}) {}
    ThreadPool(int n_threads, Options options);
    ~ThreadPool();
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;

    int n_threads() const;
    // Calls task(i) once for every i in [0, n), in any order, on any worker; returns when all are done. Each thread begins with a range of
    // its own, first to last, so neighbouring tasks should read neighbouring memory; one that is done takes the last of another's range.
    // Of the exceptions thrown by tasks, the one of the lowest i is rethrown here, after all calls. One caller at a time; not reentrant.
    void run(int n, const std::function<void(int)>& task);

private:
    struct Shared;
    std::unique_ptr<Shared> shared_;
};

// The cores that this thread's CPU affinity allows; of each, the hardware threads that it allows, as Linux numbers them. At least one.
std::vector<std::vector<int>> usable_cores();
// Their number, or the processors that the control group's quota allows, if those are fewer. At least 1.
int usable_threads();

}  // namespace kylin
