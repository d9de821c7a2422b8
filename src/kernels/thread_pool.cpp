#include "kernels/thread_pool.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <optional>
#include <pthread.h>
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

// A refusal changes the speed at most.
void keep_on(std::thread& thread, const std::vector<int>& core) {
    cpu_set_t set;
    CPU_ZERO(&set);
    for (const int cpu : core) CPU_SET(static_cast<size_t>(cpu), &set);
    pthread_setaffinity_np(thread.native_handle(), sizeof set, &set);
}

// A job's number, whether it may still be joined, and how many workers have joined it, in one word: so a worker that wakes up late
// finds the job closed and is never waited for.
constexpr uint64_t one_worker = 1, open_bit = uint64_t{1} << 31, one_job = uint64_t{1} << 32;
constexpr uint64_t job_number(uint64_t state) { return state / one_job; }
constexpr uint64_t n_joined(uint64_t state) { return state % open_bit; }

// The tasks [first, end) of a thread that nobody has taken yet, in one word. The thread itself takes the first, others the last: while
// nobody steals, each thread walks through neighbouring tasks, and so through memory, in order.
class Share {
public:
    void assign(int first, int end) { left_.store(pack(first, end), std::memory_order_relaxed); }
    std::optional<int> take_first() {
        return take([](int first, int end) { return std::pair{first, pack(first + 1, end)}; });
    }
    std::optional<int> take_last() {
        return take([](int first, int end) { return std::pair{end - 1, pack(first, end - 1)}; });
    }

private:
    static uint64_t pack(int first, int end) { return uint64_t{static_cast<uint32_t>(first)} << 32 | static_cast<uint32_t>(end); }
    template <class Choose>
    std::optional<int> take(Choose choose) {
        for (uint64_t now = left_.load(std::memory_order_relaxed);;) {
            const int first = static_cast<int>(now >> 32), end = static_cast<int>(now & UINT32_MAX);
            if (first == end) return std::nullopt;
            const auto [task, left] = choose(first, end);
            if (left_.compare_exchange_weak(now, left, std::memory_order_relaxed)) return task;
        }
    }

    alignas(64) std::atomic<uint64_t> left_{0};  // a cache line of its own
};

// Longer than the serial stretches between the regions of a forward pass; waking a sleeper costs about as much.
constexpr std::chrono::microseconds spin_limit{50};

}  // namespace

struct ThreadPool::Shared {
    explicit Shared(int n_threads) : shares(static_cast<size_t>(n_threads)) {}

    alignas(64) std::atomic<uint64_t> state{0};  // polled by all, so alone in its cache line
    alignas(64) std::vector<Share> shares;       // by thread; the caller is thread 0

    // Written by the caller while no job is open or joined.
    alignas(64) const std::function<void(int)>* task = nullptr;
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

    // Requires that no job is open or joined.
    void distribute(int n) {
        const auto n_shares = static_cast<int64_t>(shares.size());
        for (int64_t s = 0; s < n_shares; ++s)
            shares[static_cast<size_t>(s)].assign(static_cast<int>(n * s / n_shares), static_cast<int>(n * (s + 1) / n_shares));
    }

    // The thread's own share, then what others have left.
    void work(size_t thread) {
        while (const auto i = shares[thread].take_first()) call(*i);
        for (size_t other = thread + 1; other < thread + shares.size(); ++other)
            while (const auto i = shares[other % shares.size()].take_last()) call(*i);
    }

    void call(int index) {
        try {
            (*task)(index);
        } catch (...) {
            const std::lock_guard lock(mutex);
            if (error && error_index < index) return;
            error = std::current_exception();
            error_index = index;
        }
    }

    // Requires that no job is open. Sequentially consistent with sleep(): either the sleeper sees the job, or we see the sleeper.
    void open() {
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

    void serve(size_t thread) {
        for (uint64_t job = 0;;) {
            if (!spin(patience, [&] { return job_number(state.load(std::memory_order_acquire)) != job; })) sleep(job);
            job = job_number(state.load());
            if (!join(job)) continue;
            const bool last = stopping;
            if (!last) work(thread);
            state.fetch_sub(one_worker);
            if (last) return;
        }
    }
};

ThreadPool::ThreadPool(int n_threads, Options options) : shared_(std::make_unique<Shared>(n_threads)) {
    // With more threads than processors, spinning would keep the one that has work from running.
    if (options.spins && n_threads <= usable_threads()) shared_->patience = spin_limit;
    // Fewer threads than cores are left to the system: it knows what else runs, another pool perhaps.
    const auto cores = usable_cores();
    const bool pins = options.pins && cores.size() == shared_->shares.size();
    for (size_t i = 1; i < shared_->shares.size(); ++i) {
        std::thread& worker = shared_->workers.emplace_back([shared = shared_.get(), i] { shared->serve(i); });
        if (pins) keep_on(worker, cores[i]);
    }
}

ThreadPool::~ThreadPool() = default;

int ThreadPool::n_threads() const { return static_cast<int>(shared_->workers.size()) + 1; }

void ThreadPool::run(int n, const std::function<void(int)>& task) {
    shared_->task = &task;
    shared_->distribute(n);
    const bool alone = n <= 1 || shared_->workers.empty();
    if (!alone) shared_->open();
    shared_->work(0);
    if (!alone) shared_->close();
    if (shared_->error) std::rethrow_exception(std::exchange(shared_->error, nullptr));
}

}  // namespace kylin
