// A process killed at any moment leaves the old output or the new one, whole.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <random>

#include "base/atomic_output.h"
#include "support/child_process.h"
#include "support/temp_dir.h"

namespace finedelta {
namespace {

using testing::ElementsAre;

constexpr int kLeastRounds = 30;
constexpr int kMostRounds = 10 * kLeastRounds;
constexpr size_t kSize = 100'000;

std::string version_text(char version) { return std::string(kSize, version); }

// Replaces the file again and again, each time by another version.
void keep_replacing_file(const std::string& target) {
  for (char version = 'a';; version = version == 'z' ? 'a' : static_cast<char>(version + 1)) {
    Result<AtomicFile> output = AtomicFile::create(target, true);
    if (!output.has_value()) _exit(1);
    const std::string text = version_text(version);
    for (size_t at = 0; at < kSize; at += kSize / 10) {
      const auto piece = as_bytes(text).subspan(at, kSize / 10);
      if (!output->file().write(at, piece).has_value()) _exit(1);
    }
    if (!output->publish().has_value()) _exit(1);
  }
}

void keep_replacing_directory(const std::string& target) {
  for (char version = 'a';; version = version == 'z' ? 'a' : static_cast<char>(version + 1)) {
    Result<AtomicDirectory> output = AtomicDirectory::create(target, true);
    if (!output.has_value()) _exit(1);
    for (const char* const name : {"x", "sub/y", "sub/z"}) {
      const Result<OutputFile> file = output->create_file(name, false);
      if (!file.has_value()) _exit(1);
      if (!file->write(0, as_bytes(version_text(version))).has_value()) _exit(1);
    }
    if (!output->publish().has_value()) _exit(1);
  }
}

template <typename Function>
void run_and_kill(Function function, unsigned microseconds) {
  const pid_t child = start_child(function);
  usleep(microseconds);
  ASSERT_EQ(kill(child, SIGKILL), 0);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended by itself";
}

// Calls `round(microseconds)` with pseudo-random delays of at most 40 ms, then longer ones for a
// slow machine, until it has met both outcomes: a new version in place and one that was left
// half-way.
template <typename Round>
void until_both_outcomes(const TempDir& scratch, const std::string& file, Round round) {
  std::mt19937 random(1);
  bool replaced = false;
  bool left_half_way = false;
  for (int i = 0; i < kLeastRounds || !replaced || !left_half_way; ++i) {
    ASSERT_LT(i, kMostRounds) << "replaced " << replaced << ", left half-way " << left_half_way;
    const unsigned longest = 40'000u * static_cast<unsigned>(1 + i / kLeastRounds);
    round(std::uniform_int_distribution<unsigned>(0, longest)(random));
    if (testing::Test::HasFatalFailure()) return;
    replaced |= scratch.read(file) != version_text('0');
    left_half_way |= scratch.names().size() > 1;
  }
}

TEST(AKill, LeavesAWholeFile) {
  const TempDir scratch;
  scratch.write("out", version_text('0'));
  until_both_outcomes(scratch, "out", [&](unsigned delay) {
    ASSERT_TRUE(AtomicFile::create(scratch.path("out"), true).has_value());
    ASSERT_THAT(scratch.names(), ElementsAre("out"));
    run_and_kill([&] { keep_replacing_file(scratch.path("out")); }, delay);
    const std::string text = scratch.read("out");
    ASSERT_FALSE(text.empty());
    ASSERT_EQ(text, version_text(text[0]));
  });
}

TEST(AKill, LeavesAWholeDirectory) {
  const TempDir scratch;
  for (const char* const name : {"out/x", "out/sub/y", "out/sub/z"}) {
    scratch.write(name, version_text('0'));
  }
  until_both_outcomes(scratch, "out/x", [&](unsigned delay) {
    ASSERT_TRUE(AtomicDirectory::create(scratch.path("out"), true).has_value());
    ASSERT_THAT(scratch.names(), ElementsAre("out"));
    run_and_kill([&] { keep_replacing_directory(scratch.path("out")); }, delay);
    const std::string text = scratch.read("out/x");
    ASSERT_FALSE(text.empty());
    ASSERT_EQ(text, version_text(text[0]));
    ASSERT_EQ(scratch.read("out/sub/y"), text);
    ASSERT_EQ(scratch.read("out/sub/z"), text);
  });
}

}  // namespace
}  // namespace finedelta
