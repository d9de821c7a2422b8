#include <algorithm>
#include <fstream>
#include <sched.h>
#include <sstream>
#include <string>
#include <thread>
#include <unordered_map>

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

}  // namespace

std::vector<std::vector<int>> usable_cores() {
    cpu_set_t allowed;
    const bool known = sched_getaffinity(0, sizeof allowed, &allowed) == 0;  // not with more than CPU_SETSIZE processors
    const size_t n_cpus = known ? CPU_SETSIZE : std::max(1u, std::thread::hardware_concurrency());
    std::vector<std::vector<int>> cores;
    std::unordered_map<std::string, size_t> core_of;
    for (size_t cpu = 0; cpu < n_cpus; ++cpu) {
        if (known && !CPU_ISSET(cpu, &allowed)) continue;
        const std::string core = siblings(cpu);
        const auto [at, first_of_it] = core_of.emplace(core.empty() ? std::to_string(cpu) : core, cores.size());
        if (first_of_it) cores.emplace_back();
        cores[at->second].push_back(static_cast<int>(cpu));
    }
    return cores;
}

int usable_threads() {
    const auto n = static_cast<int>(usable_cores().size());
    std::ostringstream groups;
    groups << std::ifstream("/proc/self/cgroup").rdbuf();
    return std::max(1, std::min(n, cpu_quota(groups.str(), "/sys/fs/cgroup").value_or(n)));
}

}  // namespace kylin
