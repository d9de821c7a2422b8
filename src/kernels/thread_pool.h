// Workers that spin for a while and then sleep. Results never depend on how many there are: a task owns its outputs.
#pragma once
#include <functional>
#include <memory>

namespace kylin {

class ThreadPool {
public:
    // The caller is one of the threads; at least 1. A worker that does not spin sleeps as soon as it has nothing to do.
    explicit ThreadPool(int n_threads, bool spins = true);
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

// Cores that this process may use, two hardware threads of one core counted once: its CPU affinity and its control group's quota count.
// At least 1.
int usable_threads();

}  // namespace kylin
