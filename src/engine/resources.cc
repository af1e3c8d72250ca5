#include "engine/resources.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <string>

#include "base/error.h"
#include "base/thread_count.h"
#include "kernels/target.h"

namespace finedelta {

namespace {

// Left free for stacks, for the allocator's own needs and for what libraries take now and then.
constexpr uint64_t kSlack = uint64_t{8} << 20;

// Resident bytes of this process; 0 where the system does not tell.
uint64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  uint64_t total = 0;
  uint64_t resident = 0;
  statm >> total >> resident;
  return resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

Status check_options(const Options& options) {
  if (options.memory < kLeastMemory) {
    return fail(ErrorCode::kUsage, "the memory limit of {} bytes is under the least one, {} MiB",
                options.memory, kLeastMemory >> 20);
  }
  return apply_forced_target();
}

Status check_level(int level) {
  if (level >= kFastestLevel && level <= kSmallestLevel) return {};
  return fail(ErrorCode::kUsage, "level {} is not one of {} to {}", level, kFastestLevel,
              kSmallestLevel);
}

unsigned affordable_workers(const Options& options, uint64_t worker_bytes, uint64_t reserved) {
  const uint64_t taken = resident_bytes() + reserved + kSlack;
  const uint64_t free = options.memory > taken ? options.memory - taken : 0;
  const uint64_t wanted = options.threads > 0 ? options.threads : default_threads();
  return static_cast<unsigned>(std::clamp<uint64_t>(free / worker_bytes, 1, wanted));
}

void ProgressMeter::add(uint64_t bytes) {
  if (!callback_) return;
  const std::scoped_lock lock(mutex_);
  progress_.done += bytes;
  callback_(progress_);
}

}  // namespace finedelta
