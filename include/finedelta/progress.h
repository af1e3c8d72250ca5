// Progress reports and cancellation, shared by every long operation.
#ifndef FINEDELTA_PROGRESS_H_
#define FINEDELTA_PROGRESS_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <string_view>

namespace finedelta {

// How far an operation has come. `done` and `total` count bytes of the fine-tune.
struct Progress {
  uint64_t done = 0;
  uint64_t total = 0;
};

// Called from worker threads, one call at a time; must return quickly and must not throw.
using ProgressCallback = std::function<void(const Progress&)>;

// Receives one sentence (UTF-8, no line break) about something the user should know although the
// operation goes on: a skipped folder, a side file kept in place of a shard. Called from the
// thread that runs the operation.
using NoteCallback = std::function<void(std::string_view)>;

// Asks a running operation to stop. `cancel` may be called from any thread and from a signal
// handler; the operation then removes what it has written and returns ErrorCode::kCancelled.
class Cancellation {
 public:
  void cancel() noexcept { cancelled_.store(true, std::memory_order_relaxed); }
  [[nodiscard]] bool cancelled() const noexcept {
    return cancelled_.load(std::memory_order_relaxed);
  }

 private:
  std::atomic<bool> cancelled_{false};
  static_assert(std::atomic<bool>::is_always_lock_free);
};

}  // namespace finedelta

#endif  // FINEDELTA_PROGRESS_H_
