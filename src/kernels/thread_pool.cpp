#include "kernels/thread_pool.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace kylin {
namespace {

void pause_cpu() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

// Waits until done() by spinning, at most for `limit`; false when the time is over.
template <class Done>
bool spin(std::chrono::microseconds limit, Done done) {
    constexpr int tries_per_look = 64;  // the clock costs as much as several pauses
    const auto end = std::chrono::steady_clock::now() + limit;
    do {
        for (int i = 0; i < tries_per_look; ++i) {
            if (done()) return true;
            pause_cpu();
        }
    } while (std::chrono::steady_clock::now() < end);
    return false;
}

// A job's number, whether it may still be joined, and how many workers have joined it, in one word: so a worker that wakes up late
// finds the job closed and is never waited for.
constexpr uint64_t one_worker = 1, open_bit = uint64_t{1} << 31, one_job = uint64_t{1} << 32;
constexpr uint64_t job_number(uint64_t state) { return state / one_job; }
constexpr uint64_t n_joined(uint64_t state) { return state % open_bit; }

// Longer than the serial stretches between the regions of a forward pass; waking a sleeper costs about as much.
constexpr std::chrono::microseconds spin_limit{50};

}  // namespace

struct ThreadPool::Shared {
    // Own cache lines: one is polled by all, the other written by all.
    alignas(64) std::atomic<uint64_t> state{0};
    alignas(64) std::atomic<int64_t> next{0};

    // Written by the caller while no job is open or joined.
    alignas(64) const std::function<void(int)>* task = nullptr;
    int n = 0;
    bool stopping = false;
    std::chrono::microseconds patience{0};

    std::mutex mutex;  // of what follows
    std::condition_variable wake;
    std::atomic<int> n_sleeping{0};
    std::exception_ptr error;
    int error_index = 0;

    std::vector<std::thread> workers;

    ~Shared() {
        stopping = true;
        open();
        for (std::thread& worker : workers) worker.join();
    }

    void work() {
        for (int64_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < n;) {
            const int index = static_cast<int>(i);
            try {
                (*task)(index);
            } catch (...) {
                const std::lock_guard lock(mutex);
                if (error && error_index < index) continue;
                error = std::current_exception();
                error_index = index;
            }
        }
    }

    // Requires that no job is open. Sequentially consistent with sleep(): either the sleeper sees the job, or we see the sleeper.
    void open() {
        next.store(0, std::memory_order_relaxed);
        state.store((job_number(state.load()) + 1) * one_job | open_bit);
        if (n_sleeping.load() == 0) return;
        { const std::lock_guard lock(mutex); }
        wake.notify_all();
    }

    void close() {
        state.fetch_and(~open_bit);
        const auto all_left = [&] { return n_joined(state.load(std::memory_order_acquire)) == 0; };
        if (spin(patience, all_left)) return;
        while (!all_left()) std::this_thread::yield();
    }

    bool join(uint64_t number) {
        uint64_t now = state.load();
        while (job_number(now) == number && (now & open_bit) != 0)
            if (state.compare_exchange_weak(now, now + one_worker)) return true;
        return false;
    }

    void sleep(uint64_t last_job) {
        std::unique_lock lock(mutex);
        ++n_sleeping;
        wake.wait(lock, [&] { return job_number(state.load()) != last_job; });
        --n_sleeping;
    }

    void serve() {
        for (uint64_t job = 0;;) {
            if (!spin(patience, [&] { return job_number(state.load(std::memory_order_acquire)) != job; })) sleep(job);
            job = job_number(state.load());
            if (!join(job)) continue;
            const bool last = stopping;
            if (!last) work();
            state.fetch_sub(one_worker);
            if (last) return;
        }
    }
};

ThreadPool::ThreadPool(int n_threads, bool spins) : shared_(std::make_unique<Shared>()) {
    // With more threads than processors, spinning would keep the one that has work from running.
    if (spins && n_threads <= usable_threads()) shared_->patience = spin_limit;
    for (int i = 1; i < n_threads; ++i) shared_->workers.emplace_back([shared = shared_.get()] { shared->serve(); });
}

ThreadPool::~ThreadPool() = default;

int ThreadPool::n_threads() const { return static_cast<int>(shared_->workers.size()) + 1; }

void ThreadPool::run(int n, const std::function<void(int)>& task) {
    shared_->task = &task;
    shared_->n = n;
    if (n > 1 && !shared_->workers.empty()) {
        shared_->open();
        shared_->work();
        shared_->close();
    } else {
        shared_->next.store(0, std::memory_order_relaxed);
        shared_->work();
    }
    if (shared_->error) std::rethrow_exception(std::exchange(shared_->error, nullptr));
}

}  // namespace kylin
