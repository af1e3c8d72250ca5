#include "base/thread_count.h"

#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <limits>
#include <memory>

namespace finedelta {

namespace {

// Takes the text before the next `separator` off the front of `rest`.
std::string_view next_field(std::string_view& rest, char separator) {
  const size_t end = std::min(rest.find(separator), rest.size());
  const std::string_view field = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return field;
}

std::optional<int64_t> number_in(std::string_view text) {
  text = next_field(text, '\n');
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<unsigned> rounded_up(std::optional<int64_t> quota, std::optional<int64_t> period) {
  if (!quota || !period || *quota <= 0 || *period <= 0) return std::nullopt;
  const int64_t threads = *quota / *period + (*quota % *period != 0);
  return static_cast<unsigned>(std::min<int64_t>(threads, std::numeric_limits<unsigned>::max()));
}

bool lists(std::string_view commas, std::string_view wanted) {
  while (!commas.empty()) {
    if (next_field(commas, ',') == wanted) return true;
  }
  return false;
}

// The path of the process in the version 2 hierarchy, or in the one of version 1 that has the CPU
// controller. Lines are "ID:CONTROLLERS:PATH"; version 2 has the ID 0 and no controllers.
std::optional<std::string_view> path_in_hierarchy(std::string_view cgroup, bool version2) {
  while (!cgroup.empty()) {
    std::string_view line = next_field(cgroup, '\n');
    const std::string_view id = next_field(line, ':');
    const std::string_view controllers = next_field(line, ':');
    if (version2 ? id == "0" && controllers.empty() : lists(controllers, "cpu")) return line;
  }
  return std::nullopt;
}

struct Mount {
  std::string_view root;  // what part of the hierarchy is mounted
  std::string_view point;
};

// Lines are "ID PARENT DEVICE ROOT POINT OPTIONS [TAGS...] - TYPE SOURCE SUPER_OPTIONS".
std::optional<Mount> find_mount(std::string_view mountinfo, bool version2) {
  while (!mountinfo.empty()) {
    std::string_view line = next_field(mountinfo, '\n');
    for (int skipped = 0; skipped < 3; ++skipped) next_field(line, ' ');
    Mount mount;
    mount.root = next_field(line, ' ');
    mount.point = next_field(line, ' ');
    while (!line.empty() && next_field(line, ' ') != "-") {
    }
    const std::string_view type = next_field(line, ' ');
    next_field(line, ' ');
    if (version2 ? type == "cgroup2" : type == "cgroup" && lists(line, "cpu")) return mount;
  }
  return std::nullopt;
}

// `path` and every level above it, as directories at the mount.
void add_levels(std::string_view path, const Mount& mount, std::vector<std::string>& directories) {
  // A container may see a part of the hierarchy only; a path outside of it can't be followed.
  if (mount.root != "/") {
    const bool inside = path.starts_with(mount.root);
    path.remove_prefix(inside ? mount.root.size() : path.size());
  }
  if (path.starts_with("/..")) path = {};
  for (; path.size() > 1; path = path.substr(0, path.rfind('/'))) {
    directories.push_back(std::string(mount.point) + std::string(path));
  }
  directories.emplace_back(mount.point);
}

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

unsigned affinity_count() {
  // The call fails with EINVAL while the set is smaller than the kernel's.
  for (int cpus = 1024; cpus <= (1 << 20); cpus *= 2) {
    const std::unique_ptr<cpu_set_t, void (*)(cpu_set_t*)> set(
        CPU_ALLOC(cpus), [](cpu_set_t* allocated) { CPU_FREE(allocated); });
    if (!set) break;
    const size_t size = CPU_ALLOC_SIZE(cpus);
    if (sched_getaffinity(0, size, set.get()) == 0) {
      return static_cast<unsigned>(CPU_COUNT_S(size, set.get()));
    }
    if (errno != EINVAL) break;
  }
  return 1;
}

}  // namespace

std::optional<unsigned> threads_in_cpu_max(std::string_view text) {
  std::string_view rest = text;
  const std::string_view quota = next_field(rest, ' ');
  return rounded_up(number_in(quota), number_in(rest));
}

std::optional<unsigned> threads_in_cfs_quota(std::string_view quota, std::string_view period) {
  return rounded_up(number_in(quota), number_in(period));
}

std::vector<std::string> cpu_quota_directories(std::string_view cgroup,
                                               std::string_view mountinfo) {
  std::vector<std::string> directories;
  for (const bool version2 : {true, false}) {
    const auto path = path_in_hierarchy(cgroup, version2);
    const auto mount = find_mount(mountinfo, version2);
    if (path && mount) add_levels(*path, *mount, directories);
  }
  return directories;
}

std::optional<unsigned> lowest_cpu_quota(const std::vector<std::string>& directories) {
  std::optional<unsigned> lowest;
  for (const std::string& directory : directories) {
    for (const auto& found : {threads_in_cpu_max(text_of(directory + "/cpu.max")),
                              threads_in_cfs_quota(text_of(directory + "/cpu.cfs_quota_us"),
                                                   text_of(directory + "/cpu.cfs_period_us"))}) {
      if (found && (!lowest || *found < *lowest)) lowest = found;
    }
  }
  return lowest;
}

unsigned default_threads() {
  const std::optional<unsigned> quota = lowest_cpu_quota(
      cpu_quota_directories(text_of("/proc/self/cgroup"), text_of("/proc/self/mountinfo")));
  const unsigned allowed = affinity_count();
  return std::max(1u, quota ? std::min(*quota, allowed) : allowed);
}

}  // namespace finedelta
