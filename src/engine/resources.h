// Threads and memory that an operation may take.
#ifndef FINEDELTA_ENGINE_RESOURCES_H_
#define FINEDELTA_ENGINE_RESOURCES_H_

#include <cstdint>
#include <mutex>

#include "finedelta/options.h"
#include "finedelta/result.h"

namespace finedelta {

// The first step of every operation: checks the options and the forced CPU target. kUsage.
Status check_options(const Options& options);

// The part of the memory limit that the JSON of all shard headers of a checkpoint may have; once
// parsed they take several times as much.
[[nodiscard]] uint64_t header_limit(const Options& options);

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
