#include "base/thread_count.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <filesystem>

#include "support/temp_dir.h"

namespace finedelta {
namespace {

using Directories = std::vector<std::string>;

TEST(ThreadCount, ReadsCpuMax) {
  EXPECT_EQ(threads_in_cpu_max("max 100000\n"), std::nullopt);
  EXPECT_EQ(threads_in_cpu_max("100000 100000\n"), 1u);
  EXPECT_EQ(threads_in_cpu_max("100001 100000\n"), 2u);
  EXPECT_EQ(threads_in_cpu_max("5000 100000"), 1u);
  EXPECT_EQ(threads_in_cpu_max("6400000 100000\n"), 64u);
  EXPECT_EQ(threads_in_cpu_max("9223372036854775807 1\n"), 4294967295u);
  for (const char* const text : {"", "\n", "max", "100000", "100000 ", "100000 0\n", "-1 100000\n",
                                 "0 100000\n", "1e5 100000\n", "99999999999999999999 1\n"}) {
    EXPECT_EQ(threads_in_cpu_max(text), std::nullopt) << text;
  }
}

TEST(ThreadCount, ReadsCfsQuota) {
  EXPECT_EQ(threads_in_cfs_quota("-1\n", "100000\n"), std::nullopt);
  EXPECT_EQ(threads_in_cfs_quota("150000\n", "100000\n"), 2u);
  EXPECT_EQ(threads_in_cfs_quota("", ""), std::nullopt);
}

TEST(ThreadCount, FindsEveryLevelOfVersion2) {
  EXPECT_EQ(cpu_quota_directories(
                "0::/user.slice/job.scope\n",
                "31 23 0:28 / /sys/fs/cgroup rw,relatime shared:4 - cgroup2 cgroup2 rw\n"),
            (Directories{"/sys/fs/cgroup/user.slice/job.scope", "/sys/fs/cgroup/user.slice",
                         "/sys/fs/cgroup"}));
}

TEST(ThreadCount, FindsTheCpuControllerOfVersion1) {
  EXPECT_EQ(
      cpu_quota_directories("9:memory:/m\n4:cpuset:/s\n3:cpu,cpuacct:/docker/a\n",
                            "33 31 0:30 / /cg/cpuset rw - cgroup cgroup rw,cpuset\n"
                            "34 31 0:31 / /cg/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"),
      (Directories{"/cg/cpu,cpuacct/docker/a", "/cg/cpu,cpuacct/docker", "/cg/cpu,cpuacct"}));
}

TEST(ThreadCount, PathsStartAtWhatIsMounted) {
  const auto directories = [](const std::string& path, const std::string& root) {
    return cpu_quota_directories("0::" + path + "\n",
                                 "1 2 0:3 " + root + " /cg rw - cgroup2 none rw\n");
  };
  EXPECT_EQ(directories("/docker/a/b", "/docker/a"), (Directories{"/cg/b", "/cg"}));
  EXPECT_EQ(directories("/docker/a", "/docker/a"), (Directories{"/cg"}));
  EXPECT_EQ(directories("/docker/ab", "/docker/a"), (Directories{"/cg"}));
  EXPECT_EQ(directories("/elsewhere", "/docker/a"), (Directories{"/cg"}));
  EXPECT_EQ(directories("/../other", "/"), (Directories{"/cg"}));
  EXPECT_EQ(directories("/", "/"), (Directories{"/cg"}));
  EXPECT_EQ(directories("nonsense", "/"), (Directories{"/cg"}));
}

TEST(ThreadCount, OddTextsNameNoDirectory) {
  EXPECT_EQ(cpu_quota_directories("", ""), Directories{});
  EXPECT_EQ(cpu_quota_directories("0::/a\n", "1 2 3\n\n- cgroup2\n"), Directories{});
  EXPECT_EQ(cpu_quota_directories("::\n1:cpu\n", "1 2 0:3 / /cg rw - cgroup2 none rw\n"),
            Directories{});
}

TEST(ThreadCount, TheLowestQuotaHolds) {
  const TempDir scratch;
  for (const char* const name : {"none", "three", "two", "one"}) {
    std::filesystem::create_directory(scratch.path(name));
  }
  scratch.write("none/cpu.max", "max 100000\n");
  scratch.write("three/cpu.max", "250000 100000\n");
  scratch.write("two/cpu.cfs_quota_us", "200000\n");
  scratch.write("two/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(lowest_cpu_quota({}), std::nullopt);
  EXPECT_EQ(lowest_cpu_quota({scratch.path("none"), scratch.path("missing")}), std::nullopt);
  EXPECT_EQ(lowest_cpu_quota({scratch.path("none"), scratch.path("three")}), 3u);
  EXPECT_EQ(lowest_cpu_quota({scratch.path("two"), scratch.path("three")}), 2u);
  EXPECT_EQ(lowest_cpu_quota({scratch.path("three"), scratch.path("two")}), 2u);
}

TEST(ThreadCount, TheAffinityMaskHolds) {
  cpu_set_t before;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  EXPECT_GE(default_threads(), 1u);
  EXPECT_LE(default_threads(), static_cast<unsigned>(CPU_COUNT(&before)));
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(sched_getcpu(), &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
  EXPECT_EQ(default_threads(), 1u);
  ASSERT_EQ(sched_setaffinity(0, sizeof before, &before), 0);
}

}  // namespace
}  // namespace finedelta
