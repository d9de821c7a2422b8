#include "kernels/cpu_quota.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>

namespace kylin {
namespace {

// Folders are strings here: std::filesystem::path of GCC 12 crashes when it runs out of memory while it is put together or taken apart.

std::optional<double> cpus(double quota, double period) {
    if (!(quota > 0) || !(period > 0)) return std::nullopt;
    return quota / period;
}

// cpu.max holds "max 100000" or "150000 100000".
std::optional<double> limit_of(const std::string& folder) {
    double quota = 0, period = 0;
    if (std::ifstream(folder + "/cpu.max") >> quota >> period) return cpus(quota, period);
    if (std::ifstream(folder + "/cpu.cfs_quota_us") >> quota && std::ifstream(folder + "/cpu.cfs_period_us") >> period)
        return cpus(quota, period);
    return std::nullopt;
}

// Of "4:cpu,cpuacct:/a/b" the folder cpu,cpuacct/a/b; of version 2's "0::/a/b" the folder a/b; else nothing.
std::optional<std::string> folder_of(const std::string& line) {
    const size_t first = line.find(':'), second = line.find(':', first == std::string::npos ? first : first + 1);
    if (second == std::string::npos) return std::nullopt;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string group = line.substr(std::min(line.find_first_not_of('/', second + 1), line.size()));
    if (controllers.empty()) return group;
    if (("," + controllers + ",").find(",cpu,") == std::string::npos) return std::nullopt;
    return group.empty() ? controllers : controllers + "/" + group;
}

}  // namespace

std::optional<int> cpu_quota(const std::string& groups, const std::filesystem::path& mount) {
    std::optional<double> least;
    std::istringstream lines(groups);
    for (std::string line; std::getline(lines, line);) {
        const auto folder = folder_of(line);
        if (!folder) continue;
        // A container often sees only its own group, as the mount itself: the walk upwards ends there in any case.
        for (std::string up = *folder;; up.resize(up.find_last_of('/') == up.npos ? 0 : up.find_last_of('/'))) {
            if (const auto limit = limit_of(mount.string() + "/" + up)) least = std::min(least.value_or(*limit), *limit);
            if (up.empty()) break;
        }
    }
    if (!least) return std::nullopt;
    return static_cast<int>(std::clamp(std::ceil(*least), 1.0, 1e6));
}

}  // namespace kylin
