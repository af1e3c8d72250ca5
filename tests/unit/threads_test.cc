#include "base/threads.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>

#include "support/child_process.h"

namespace finedelta {
namespace {

constexpr unsigned kThreadCounts[] = {1, 2, 7};

Status failure(const std::string& message) {
  return std::unexpected(Error{ErrorCode::kFailure, message});
}

// Different for every index, so that results come out of order.
void work_a_little(uint64_t index) {
  std::this_thread::sleep_for(std::chrono::microseconds(index * 2654435761u % 97));
}

TEST(ParallelOrdered, CommitsInOrder) {
  for (const unsigned threads : kThreadCounts) {
    std::vector<uint64_t> committed;
    const Status status = parallel_ordered(
        500, threads, 16, nullptr,
        [](uint64_t index, unsigned) -> Result<std::unique_ptr<uint64_t>> {
          work_a_little(index);
          return std::make_unique<uint64_t>(index * index);
        },
        [&](uint64_t index, std::unique_ptr<uint64_t> value) -> Status {
          EXPECT_EQ(index, committed.size());
          EXPECT_EQ(*value, index * index);
          committed.push_back(index);
          return {};
        });
    EXPECT_TRUE(status.has_value());
    EXPECT_EQ(committed.size(), 500u);
  }
}

TEST(ParallelOrdered, NothingToDo) {
  for (const unsigned threads : {0u, 1u, 7u}) {
    const Status status = parallel_ordered(
        0, threads, 0, nullptr, [](uint64_t, unsigned) -> Result<int> { return 1; },
        [](uint64_t, int) -> Status { return failure("never"); });
    EXPECT_TRUE(status.has_value());
  }
}

TEST(ParallelOrdered, OneThreadIsTheCallersOwn) {
  const auto caller = std::this_thread::get_id();
  const Status status = parallel_ordered(
      5, 1, 3, nullptr,
      [&](uint64_t, unsigned worker) -> Result<int> {
        EXPECT_EQ(worker, 0u);
        EXPECT_EQ(std::this_thread::get_id(), caller);
        return 1;
      },
      [&](uint64_t, int) -> Status {
        EXPECT_EQ(std::this_thread::get_id(), caller);
        return {};
      });
  EXPECT_TRUE(status.has_value());
}

// With a slow first index, everything that may start does, and no more.
TEST(ParallelOrdered, TheWindowHoldsAndIsUsed) {
  constexpr uint64_t kWindow = 5;
  std::atomic<uint64_t> outstanding = 0;
  std::atomic<uint64_t> most = 0;
  const Status status = parallel_ordered(
      200, 3, kWindow, nullptr,
      [&](uint64_t index, unsigned) -> Result<int> {
        const uint64_t now = ++outstanding;
        uint64_t before = most;
        while (before < now && !most.compare_exchange_weak(before, now)) {
        }
        // The first of every ten waits until the window is full, however long that takes.
        while (index % 10 == 0 && outstanding < kWindow) {
          std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        return 1;
      },
      [&](uint64_t, int) -> Status {
        --outstanding;
        return {};
      });
  EXPECT_TRUE(status.has_value());
  EXPECT_EQ(most, kWindow);
  EXPECT_EQ(outstanding, 0u);
}

TEST(ParallelOrdered, AWorkerIsNeverUsedTwiceAtOnce) {
  constexpr unsigned kThreads = 7;
  std::vector<std::atomic<int>> busy(kThreads);
  const Status status =
      parallel_for(500, kThreads, nullptr, [&](uint64_t index, unsigned worker) -> Status {
        EXPECT_LT(worker, kThreads);
        EXPECT_EQ(busy[worker].fetch_add(1), 0);
        work_a_little(index);
        busy[worker].fetch_sub(1);
        return {};
      });
  EXPECT_TRUE(status.has_value());
}

TEST(ParallelOrdered, CommitsNeverOverlap) {
  int unguarded = 0;  // a race here is for the thread sanitizer to find
  std::atomic<int> inside = 0;
  const Status status = parallel_ordered(
      300, 7, 8, nullptr, [](uint64_t, unsigned) -> Result<int> { return 1; },
      [&](uint64_t index, int value) -> Status {
        EXPECT_EQ(inside.fetch_add(1), 0);
        work_a_little(index);
        unguarded += value;
        inside.fetch_sub(1);
        return {};
      });
  EXPECT_TRUE(status.has_value());
  EXPECT_EQ(unguarded, 300);
}

// Whatever fails where, the outcome is that of one thread: the lowest failing index, everything
// below it committed, nothing else.
TEST(ParallelOrdered, TheLowestErrorWinsWhateverTheTiming) {
  const bool ok = rc::check("errors", [](const std::vector<uint8_t>& plan) {
    const unsigned threads = *rc::gen::inRange(1u, 8u);
    const uint64_t window = *rc::gen::inRange<uint64_t>(0, 12);
    // 0: work fails, 1: commit fails, anything else goes well.
    const auto fails = [&](uint64_t index, int how) { return plan[index] % 16 == how; };
    std::string expected = "none";
    uint64_t expected_commits = plan.size();
    for (uint64_t i = 0; i < plan.size() && expected == "none"; ++i) {
      if (fails(i, 0)) expected = "work " + std::to_string(i);
      if (fails(i, 1)) expected = "commit " + std::to_string(i);
      if (expected != "none") expected_commits = i;
    }
    uint64_t commits = 0;
    const Status status = parallel_ordered(
        plan.size(), threads, window, nullptr,
        [&](uint64_t index, unsigned) -> Result<int> {
          if (plan[index] % 3 == 0) std::this_thread::yield();
          if (!fails(index, 0)) return 1;
          return std::unexpected(Error{ErrorCode::kDamaged, "work " + std::to_string(index)});
        },
        [&](uint64_t index, int) -> Status {
          if (fails(index, 1)) return failure("commit " + std::to_string(index));
          ++commits;
          return {};
        });
    RC_ASSERT((status.has_value() ? "none" : status.error().message) == expected);
    RC_ASSERT(commits == expected_commits);
  });
  EXPECT_TRUE(ok);
}

TEST(ParallelOrdered, AnErrorStopsTheRest) {
  for (const unsigned threads : kThreadCounts) {
    std::atomic<uint64_t> started = 0;
    const Status status = parallel_ordered(
        1'000'000, threads, 10, nullptr,
        [&](uint64_t index, unsigned) -> Result<int> {
          ++started;
          if (index == 20) return std::unexpected(Error{ErrorCode::kNoSpace, "full"});
          return 1;
        },
        [](uint64_t, int) -> Status { return {}; });
    ASSERT_FALSE(status.has_value());
    EXPECT_EQ(status.error().code, ErrorCode::kNoSpace);
    EXPECT_EQ(status.error().message, "full");
    EXPECT_LE(started, 31u);
  }
}

TEST(ParallelOrdered, CancellationStopsTheRest) {
  for (const unsigned threads : kThreadCounts) {
    Cancellation cancel;
    uint64_t commits = 0;
    const Status status = parallel_ordered(
        1'000'000, threads, 10, &cancel, [](uint64_t, unsigned) -> Result<int> { return 1; },
        [&](uint64_t index, int) -> Status {
          if (index == 50) cancel.cancel();
          ++commits;
          return {};
        });
    ASSERT_FALSE(status.has_value());
    EXPECT_EQ(status.error().code, ErrorCode::kCancelled);
    EXPECT_EQ(status.error().message, "interrupted");
    EXPECT_EQ(commits, 51u);
  }
}

TEST(ParallelOrdered, CancelledBeforeTheStart) {
  for (const unsigned threads : kThreadCounts) {
    Cancellation cancel;
    cancel.cancel();
    std::atomic<int> started = 0;
    const Status status = parallel_for(10, threads, &cancel, [&](uint64_t, unsigned) -> Status {
      ++started;
      return {};
    });
    ASSERT_FALSE(status.has_value());
    EXPECT_EQ(status.error().message, "interrupted");
    EXPECT_EQ(started, 0);
  }
}

TEST(ParallelOrdered, CancelledWhenAllIsDoneIsDone) {
  for (const unsigned threads : kThreadCounts) {
    Cancellation cancel;
    const Status status = parallel_ordered(
        10, threads, 4, &cancel, [](uint64_t, unsigned) -> Result<int> { return 1; },
        [&](uint64_t index, int) -> Status {
          if (index == 9) cancel.cancel();
          return {};
        });
    EXPECT_TRUE(status.has_value());
  }
}

TEST(ParallelOrdered, ExceptionsBecomeErrors) {
  for (const unsigned threads : kThreadCounts) {
    const auto message = [&](auto thrower, bool in_commit) {
      const Status status = parallel_ordered(
          10, threads, 4, nullptr,
          [&](uint64_t index, unsigned) -> Result<int> {
            if (index == 3 && !in_commit) thrower();
            return 1;
          },
          [&](uint64_t index, int) -> Status {
            if (index == 3 && in_commit) thrower();
            return {};
          });
      EXPECT_FALSE(status.has_value());
      if (status.has_value()) return std::string();
      EXPECT_EQ(status.error().code, ErrorCode::kFailure);
      return status.error().message;
    };
    for (const bool in_commit : {false, true}) {
      EXPECT_EQ(message([] { throw std::bad_alloc(); }, in_commit), "out of memory");
      EXPECT_EQ(message([] { throw std::length_error("too long"); }, in_commit),
                "an unexpected error: too long");
    }
  }
}

TEST(ParallelFor, RunsEveryIndexOnce) {
  for (const unsigned threads : kThreadCounts) {
    std::vector<std::atomic<int>> runs(1000);
    const Status status =
        parallel_for(runs.size(), threads, nullptr, [&](uint64_t index, unsigned) -> Status {
          ++runs[index];
          return {};
        });
    EXPECT_TRUE(status.has_value());
    for (const auto& count : runs) EXPECT_EQ(count, 1);
  }
}

TEST(ParallelFor, GoesOnWithTheThreadsItGets) {
  EXPECT_TRUE(succeeds_in_child([] {
    ASSERT_TRUE(deny_system_call(SYS_clone, EAGAIN, true));
    ASSERT_TRUE(deny_system_call(SYS_clone3, EAGAIN, true));
    uint64_t runs = 0;
    const Status status = parallel_for(100, 7, nullptr, [&](uint64_t, unsigned worker) -> Status {
      EXPECT_EQ(worker, 0u);
      ++runs;
      return {};
    });
    EXPECT_TRUE(status.has_value());
    EXPECT_EQ(runs, 100u);
  }));
}

}  // namespace
}  // namespace finedelta
