#include <algorithm>
#include <fstream>
#include <sched.h>
#include <set>
#include <sstream>
#include <string>
#include <thread>

#include "kernels/cpu_quota.h"
#include "kernels/thread_pool.h"

namespace kylin {
namespace {

// The hardware threads that share a core with this one, itself included, as Linux names them; empty where it does not say.
std::string siblings(size_t cpu) {
    std::string text;
    std::getline(std::ifstream("/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/thread_siblings_list"), text);
    return text;
}

int usable_cores() {
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return static_cast<int>(std::thread::hardware_concurrency());
    std::set<std::string> cores;
    for (size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu)
        if (CPU_ISSET(cpu, &allowed)) {
            const std::string core = siblings(cpu);
            cores.insert(core.empty() ? std::to_string(cpu) : core);
        }
    return static_cast<int>(cores.size());
}

}  // namespace

int usable_threads() {
    const int n = usable_cores();
    std::ostringstream groups;
    groups << std::ifstream("/proc/self/cgroup").rdbuf();
    return std::max(1, std::min(n, cpu_quota(groups.str(), "/sys/fs/cgroup").value_or(n)));
}

}  // namespace kylin
