// How many CPUs' worth of time a control group may use (Linux; containers are given less than the machine this way).
#pragma once
#include <filesystem>
#include <optional>
#include <string>

namespace kylin {

// The smallest quota of the group and its parents, rounded up to whole CPUs. `groups` is the content of /proc/self/cgroup, `mount` the
// folder /sys/fs/cgroup. Version 2 of the interface, and version 1's "cpu" controller. Nothing when there is no limit.
std::optional<int> cpu_quota(const std::string& groups, const std::filesystem::path& mount);

}  // namespace kylin
