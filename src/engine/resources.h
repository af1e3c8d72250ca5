// Threads and memory that an operation may take.
#ifndef FINEDELTA_ENGINE_RESOURCES_H_
#define FINEDELTA_ENGINE_RESOURCES_H_

#include <algorithm>
#include <cstdint>
#include <mutex>

#include "finedelta/options.h"
#include "finedelta/result.h"

namespace finedelta {

// The first step of every operation: checks the options and the forced CPU target. kUsage.
Status check_options(const Options& options);

// kUsage for a level that there is not.
Status check_level(int level);

// How much JSON the shard headers of all checkpoints of an operation may have: once parsed they
// take several times as much memory.
class HeaderBudget {
 public:
  explicit HeaderBudget(const Options& options)
      : for_one_(options.memory / 32), left_(options.memory / 16) {}
  // For the next checkpoint.
  [[nodiscard]] uint64_t limit() const { return std::min(for_one_, left_); }
  void spend(uint64_t bytes) { left_ -= std::min(bytes, left_); }

 private:
  uint64_t for_one_;  // what the archive's reader allows too
  uint64_t left_;
};

// How many workers that take `worker_bytes` each may run beside what the process has resident now
// and `reserved` bytes that it is going to take: at least 1, at most the threads asked for.
[[nodiscard]] unsigned affordable_workers(const Options& options, uint64_t worker_bytes,
                                          uint64_t reserved);

// Adds up progress from several threads and passes it on, one call at a time.
class ProgressMeter {
 public:
  ProgressMeter(const ProgressCallback& callback, uint64_t total)
      : callback_(callback), progress_{.done = 0, .total = total} {}
  void add(uint64_t bytes);

 private:
  const ProgressCallback& callback_;
  std::mutex mutex_;
  Progress progress_;
};

}  // namespace finedelta

#endif  // FINEDELTA_ENGINE_RESOURCES_H_
