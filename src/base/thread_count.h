// How many threads this process can make use of.
#ifndef FINEDELTA_BASE_THREAD_COUNT_H_
#define FINEDELTA_BASE_THREAD_COUNT_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "finedelta/options.h"
#include "finedelta/result.h"

namespace finedelta {

// The steps of default_threads (finedelta/options.h), apart for tests.

// From the text of `cpu.max` (control groups version 2): "QUOTA PERIOD", where QUOTA may be "max".
// None when there is no quota or the text means nothing.
std::optional<unsigned> threads_in_cpu_max(std::string_view text);

// From the texts of `cpu.cfs_quota_us` and `cpu.cfs_period_us` (version 1); -1 is no quota.
std::optional<unsigned> threads_in_cfs_quota(std::string_view quota, std::string_view period);

// The directories, mount point last, whose CPU quotas hold for a process, from the texts of its
// /proc files `cgroup` and `mountinfo`: versions 1 and 2 alike.
std::vector<std::string> cpu_quota_directories(std::string_view cgroup, std::string_view mountinfo);

// The lowest quota among the files in these directories.
std::optional<unsigned> lowest_cpu_quota(const std::vector<std::string>& directories);

}  // namespace finedelta

#endif  // FINEDELTA_BASE_THREAD_COUNT_H_
