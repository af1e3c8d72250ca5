#include "base/threads.h"

#include <condition_variable>
#include <mutex>
#include <set>
#include <system_error>
#include <thread>

#include "base/error.h"
#include "base/guard.h"

namespace finedelta {

namespace {

using Work = std::function<Status(uint64_t index, unsigned worker)>;
using Commit = std::function<Status(uint64_t index)>;

Error cancelled() { return {ErrorCode::kCancelled, "interrupted"}; }

Status run_alone(uint64_t count, const Cancellation* cancel, const Work& work,
                 const Commit& commit) {
  for (uint64_t index = 0; index < count; ++index) {
    if (cancel && cancel->cancelled()) return std::unexpected(cancelled());
    FINEDELTA_CHECK(work(index, 0));
    if (cancel && cancel->cancelled()) return std::unexpected(cancelled());
    FINEDELTA_CHECK(commit(index));
  }
  return {};
}

// Hands out the indices and commits what is finished. Every member below `mutex_` is guarded by it;
// work and commits run without it.
class Ordered {
 public:
  Ordered(uint64_t count, uint64_t window, const Cancellation* cancel, const Work& work,
          const Commit& commit)
      : window_(window), cancel_(cancel), work_(work), commit_(commit), end_(count) {}

  // The life of one worker: until there is nothing left to start.
  void run(unsigned worker) {
    std::unique_lock lock(mutex_);
    while (wait_for_turn(lock)) {
      const uint64_t index = started_++;
      lock.unlock();
      Status status = guarded([&] { return work_(index, worker); });
      lock.lock();
      if (status.has_value()) status = guarded([&] { return note_finished(index); });
      if (!status.has_value()) stop(index, std::move(status).error());
      commit_finished(lock);
    }
  }

  // When all workers have ended.
  Status result() {
    if (error_) return std::unexpected(*std::move(error_));
    if (cancel_seen_ && committed_ < end_) return std::unexpected(cancelled());
    return {};
  }

 private:
  // False when no further index is to be started. A waiting worker is woken by every commit and
  // every stop; the worker whose index comes next is never among those that wait.
  bool wait_for_turn(std::unique_lock<std::mutex>& lock) {
    while (!is_cancelled() && started_ < end_) {
      if (started_ - committed_ < window_) return true;
      changed_.wait(lock);
    }
    return false;
  }

  Status note_finished(uint64_t index) {
    finished_.insert(index);
    return {};
  }

  // Commits as far as the results go without a gap. One worker at a time does this; others leave
  // what they finish meanwhile to it.
  void commit_finished(std::unique_lock<std::mutex>& lock) {
    if (committing_) return;
    committing_ = true;
    while (committed_ < end_ && finished_.contains(committed_) && !is_cancelled()) {
      const uint64_t index = committed_;
      lock.unlock();
      Status status = guarded([&] { return commit_(index); });
      lock.lock();
      finished_.erase(index);
      if (status.has_value()) {
        ++committed_;
      } else {
        stop(index, std::move(status).error());
      }
      changed_.notify_all();
    }
    committing_ = false;
  }

  // Starts nothing more, and commits nothing from `index` on.
  void stop(uint64_t index, Error error) {
    if (index < end_) {
      end_ = index;
      error_ = std::move(error);
    }
    changed_.notify_all();
  }

  bool is_cancelled() {
    if (!cancel_seen_ && cancel_ && cancel_->cancelled()) {
      cancel_seen_ = true;
      changed_.notify_all();
    }
    return cancel_seen_;
  }

  const uint64_t window_;
  const Cancellation* const cancel_;
  const Work& work_;
  const Commit& commit_;

  std::mutex mutex_;
  std::condition_variable changed_;
  uint64_t started_ = 0;         // indices below were handed out
  uint64_t committed_ = 0;       // indices below were committed
  std::set<uint64_t> finished_;  // indices whose results wait for their commit
  bool committing_ = false;
  bool cancel_seen_ = false;
  uint64_t end_;  // the count, or the lowest index that failed
  std::optional<Error> error_;
};

}  // namespace

Status run_ordered(uint64_t count, unsigned threads, uint64_t window, const Cancellation* cancel,
                   const Work& work, const Commit& commit) {
  threads = static_cast<unsigned>(std::clamp<uint64_t>(count, 1, std::max(threads, 1u)));
  if (threads == 1) return guarded([&] { return run_alone(count, cancel, work, commit); });
  Ordered ordered(count, std::max<uint64_t>(window, 1), cancel, work, commit);
  {
    std::vector<std::jthread> others;
    try {
      others.reserve(threads - 1);
      for (unsigned worker = 1; worker < threads; ++worker) {
        others.emplace_back([&ordered, worker] { ordered.run(worker); });
      }
    } catch (const std::system_error&) {
      // The system gives no more threads: those there are do it all.
    } catch (const std::bad_alloc&) {
    }
    ordered.run(0);
  }
  return ordered.result();
}

}  // namespace finedelta
