// Work in parallel, results in order.
#ifndef FINEDELTA_BASE_THREADS_H_
#define FINEDELTA_BASE_THREADS_H_

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "finedelta/progress.h"
#include "finedelta/result.h"

namespace finedelta {

// What parallel_ordered is made of: `work(index, worker)` keeps its result itself until
// `commit(index)` is called.
Status run_ordered(uint64_t count, unsigned threads, uint64_t window, const Cancellation* cancel,
                   const std::function<Status(uint64_t index, unsigned worker)>& work,
                   const std::function<Status(uint64_t index)>& commit);

// Runs work(index, worker) -> Result<T> for every index below `count`, on the calling thread and up
// to `threads` - 1 others (fewer if the system gives no more), and commit(index, T) -> Status for
// each result.
// - Work starts in order of index. `worker`, below `threads`, is never in use twice at once, so
//   callers may keep a buffer for each.
// - Commits happen in order of index and one at a time, on whichever thread is there.
// - Fewer than `window` (at least 1 is taken) indices are between start and commit when another
//   starts: this bounds the memory that results take. Places for `window` results are made at once.
// - An error stops everything: no index starts after it. The error returned is that of the lowest
//   index that fails, and exactly the indices below it were committed (or the error is that of the
//   commit itself), whatever the number of threads, as long as work depends on its index alone.
// - Cancellation (`cancel` may be null) is looked at before each start and each commit: kCancelled,
//   unless an error came first or all was committed.
// - Exceptions become kFailure; std::bad_alloc "out of memory".
// With one thread or one index everything happens on the calling thread.
template <typename Work, typename Commit>
Status parallel_ordered(uint64_t count, unsigned threads, uint64_t window,
                        const Cancellation* cancel, Work work, Commit commit) {
  using Value = typename std::invoke_result_t<Work&, uint64_t, unsigned>::value_type;
  window = std::clamp<uint64_t>(count, 1, std::max<uint64_t>(window, 1));
  // A slot is free again before an index `window` higher starts.
  std::vector<std::optional<Value>> slots(window);
  return run_ordered(
      count, threads, window, cancel,
      [&](uint64_t index, unsigned worker) -> Status {
        auto result = work(index, worker);
        if (!result.has_value()) return std::unexpected(std::move(result).error());
        slots[index % window] = *std::move(result);
        return {};
      },
      [&](uint64_t index) -> Status {
        Value value = *std::exchange(slots[index % window], std::nullopt);
        return commit(index, std::move(value));
      });
}

// As parallel_ordered for work(index, worker) -> Status without results.
template <typename Work>
Status parallel_for(uint64_t count, unsigned threads, const Cancellation* cancel, Work work) {
  return run_ordered(count, threads, std::numeric_limits<uint64_t>::max(), cancel, std::move(work),
                     [](uint64_t) -> Status { return {}; });
}

}  // namespace finedelta

#endif  // FINEDELTA_BASE_THREADS_H_
