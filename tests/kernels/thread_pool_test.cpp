// The pool calls every task once whatever the number of threads, passes exceptions on, and loses no wake-up.
#include "kernels/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <map>
#include <mutex>
#include <numeric>
#include <sched.h>
#include <stdexcept>
#include <thread>
#include <vector>

#include "kernels/cpu_quota.h"

namespace kylin {
namespace {

class ThreadPoolOf : public ::testing::TestWithParam<int> {};

TEST_P(ThreadPoolOf, CallsEveryTaskOnce) {
    ThreadPool pool(GetParam());
    EXPECT_EQ(pool.n_threads(), GetParam());
    for (const int n : {0, 1, 2, 3, 7, 64, 1000}) {
        std::vector<std::atomic<int>> calls(static_cast<size_t>(n));
        pool.run(n, [&](int i) { ++calls[static_cast<size_t>(i)]; });
        for (const auto& c : calls) ASSERT_EQ(c, 1);
    }
}

// Each job reads what the one before it wrote, without atomics: a missing barrier is a wrong sum, and a report of ThreadSanitizer.
TEST_P(ThreadPoolOf, IsABarrier) {
    constexpr int n = 16, rounds = 2000;
    ThreadPool pool(GetParam());
    std::vector<int> now(n, 1), next(n);
    for (int round = 0; round < rounds; ++round) {
        pool.run(n, [&](int i) { next[static_cast<size_t>(i)] = now[static_cast<size_t>((i + 1) % n)] + 1; });
        std::swap(now, next);
    }
    for (const int value : now) EXPECT_EQ(value, rounds + 1);
}

// Pauses of every length around the spinning time: workers are met awake, falling asleep and asleep.
TEST_P(ThreadPoolOf, LosesNoWakeUp) {
    ThreadPool pool(GetParam());
    std::atomic<int> calls = 0;
    constexpr int rounds = 400;
    for (int round = 0; round < rounds; ++round) {
        const auto end = std::chrono::steady_clock::now() + std::chrono::nanoseconds(500 * (round % 200));
        while (std::chrono::steady_clock::now() < end) {
        }
        pool.run(4, [&](int) { ++calls; });
    }
    EXPECT_EQ(calls, 4 * rounds);
}

TEST_P(ThreadPoolOf, RethrowsTheExceptionOfTheLowestTaskAfterAllCalls) {
    ThreadPool pool(GetParam());
    std::atomic<int> calls = 0;
    for (int round = 0; round < 50; ++round) {
        calls = 0;
        try {
            pool.run(100, [&](int i) {
                ++calls;
                if (i % 10 == 3) throw std::runtime_error(std::to_string(i));
            });
            FAIL() << "no exception";
        } catch (const std::runtime_error& error) {
            EXPECT_STREQ(error.what(), "3");
        }
        EXPECT_EQ(calls, 100);
        pool.run(100, [&](int) { ++calls; });
        EXPECT_EQ(calls, 200);
    }
}

INSTANTIATE_TEST_SUITE_P(Threads, ThreadPoolOf, ::testing::Values(1, 2, 3, 8, 33), ::testing::PrintToStringParamName());

TEST(ThreadPool, UsesItsWorkers) {
    ThreadPool pool(2);
    std::atomic<int> arrived = 0;
    // Each of two tasks waits for the other: one thread alone would never end.
    pool.run(2, [&](int) {
        ++arrived;
        while (arrived < 2) std::this_thread::yield();
    });
    EXPECT_EQ(arrived, 2);
}

TEST(ThreadPool, ComesAndGoes) {
    for (int round = 0; round < 100; ++round) {
        ThreadPool pool(1 + round % 5);
        int sum = 0;
        if (round % 2 == 0) pool.run(1, [&](int) { ++sum; });
        EXPECT_EQ(sum, 1 - round % 2);
    }
}

// The processors that each thread of a pool, the caller among them, may run on.
std::map<std::thread::id, std::vector<int>> processors_of(ThreadPool& pool) {
    std::map<std::thread::id, std::vector<int>> result;
    std::mutex mutex;
    std::atomic<int> arrived = 0;
    pool.run(pool.n_threads(), [&](int) {
        ++arrived;
        while (arrived < pool.n_threads()) std::this_thread::yield();  // so that every thread has a task
        cpu_set_t set;
        ASSERT_EQ(sched_getaffinity(0, sizeof set, &set), 0);
        const std::lock_guard lock(mutex);
        for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
            if (CPU_ISSET(static_cast<size_t>(cpu), &set)) result[std::this_thread::get_id()].push_back(cpu);
    });
    return result;
}

TEST(ThreadPoolPinning, GivesEachWorkerACoreIfThereIsAThreadForEvery) {
    const auto cores = usable_cores();
    const auto n = static_cast<int>(cores.size());
    std::vector<int> all;
    for (const auto& core : cores) all.insert(all.end(), core.begin(), core.end());
    std::ranges::sort(all);

    ThreadPool pool(n);
    auto processors = processors_of(pool);
    ASSERT_EQ(processors.size(), cores.size());
    EXPECT_EQ(processors.extract(std::this_thread::get_id()).mapped(), all);  // the caller's thread is not the pool's
    std::vector<std::vector<int>> seen;
    for (const auto& [id, cpus] : processors) seen.push_back(cpus);
    std::ranges::sort(seen);
    EXPECT_EQ(seen, std::vector(cores.begin() + 1, cores.end()));

    ThreadPool free(n, {.pins = false}), larger(n + 1);
    for (ThreadPool* p : {&free, &larger})
        for (const auto& [id, cpus] : processors_of(*p)) EXPECT_EQ(cpus, all);
}

TEST(UsableThreads, CountsTheAffinity) {
    const int before = usable_threads();
    EXPECT_GE(before, 1);
    cpu_set_t all, one;
    ASSERT_EQ(sched_getaffinity(0, sizeof all, &all), 0);
    CPU_ZERO(&one);
    for (size_t cpu = 0; CPU_COUNT(&one) == 0; ++cpu)
        if (CPU_ISSET(cpu, &all)) CPU_SET(cpu, &one);
    ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
    EXPECT_EQ(usable_threads(), 1);
    ASSERT_EQ(sched_setaffinity(0, sizeof all, &all), 0);
    EXPECT_EQ(usable_threads(), before);
}

class CpuQuota : public ::testing::Test {
protected:
    CpuQuota() : mount_(std::filesystem::path(::testing::TempDir()) / "kylin_cgroup") { std::filesystem::remove_all(mount_); }
    ~CpuQuota() override { std::filesystem::remove_all(mount_); }
    void write(const std::string& file, const std::string& text) const {
        std::filesystem::create_directories((mount_ / file).parent_path());
        std::ofstream(mount_ / file) << text;
    }
    const std::filesystem::path mount_;
};

TEST_F(CpuQuota, IsTheLeastOfTheGroupAndItsParents) {
    write("cpu.max", "800000 100000\n");
    EXPECT_EQ(cpu_quota("0::/a/b\n", mount_), 8);
    write("a/cpu.max", "250000 100000\n");
    EXPECT_EQ(cpu_quota("0::/a/b\n", mount_), 3);
    write("a/b/cpu.max", "max 100000\n");
    EXPECT_EQ(cpu_quota("0::/a/b\n", mount_), 3);
    write("a/b/cpu.max", "5000 100000\n");
    EXPECT_EQ(cpu_quota("0::/a/b\n", mount_), 1);
    EXPECT_EQ(cpu_quota("0::/\n", mount_), 8);
}

TEST_F(CpuQuota, ReadsVersion1) {
    write("cpu,cpuacct/x/cpu.cfs_quota_us", "400000\n");
    write("cpu,cpuacct/x/cpu.cfs_period_us", "100000\n");
    const std::string groups = "5:memory:/y\n4:cpu,cpuacct:/x\n3:cpuset:/x\n";
    EXPECT_EQ(cpu_quota(groups, mount_), 4);
    write("cpu,cpuacct/x/cpu.cfs_quota_us", "-1\n");
    EXPECT_EQ(cpu_quota(groups, mount_), std::nullopt);
}

TEST_F(CpuQuota, IsNothingWithoutALimitOrForNonsense) {
    for (const char* groups : {"", "0::/\n", "garbage", "1:cpu", ":", "::", "0::/../..\n"})
        EXPECT_EQ(cpu_quota(groups, mount_), std::nullopt) << groups;
    for (const char* limit : {"max 100000", "0 100000", "100000 0", "-5 100000", "many", "", "nan 1"}) {
        write("cpu.max", limit);
        EXPECT_EQ(cpu_quota("0::/\n", mount_), std::nullopt) << limit;
    }
}

}  // namespace
}  // namespace kylin
