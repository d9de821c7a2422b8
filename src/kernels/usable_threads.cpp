#include <algorithm>
#include <fstream>
#include <sched.h>
#include <sstream>
#include <thread>

#include "kernels/cpu_quota.h"
#include "kernels/thread_pool.h"

namespace kylin {

int usable_threads() {
    int n = static_cast<int>(std::thread::hardware_concurrency());
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) n = CPU_COUNT(&allowed);
    std::ostringstream groups;
    groups << std::ifstream("/proc/self/cgroup").rdbuf();
    return std::max(1, std::min(n, cpu_quota(groups.str(), "/sys/fs/cgroup").value_or(n)));
}

}  // namespace kylin
