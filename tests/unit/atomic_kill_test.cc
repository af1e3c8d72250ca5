// A process killed at any moment leaves the old output or the new one, whole.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <random>

#include "base/atomic_output.h"
#include "child_process.h"
#include "scratch_directory.h"

namespace finedelta {
namespace {

using testing::ElementsAre;

constexpr int kRounds = 30;
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

TEST(AKill, LeavesAWholeFile) {
  const ScratchDirectory scratch;
  scratch.write("out", version_text('0'));
  std::mt19937 random(1);
  std::uniform_int_distribution<unsigned> delay(0, 40'000);  // microseconds
  size_t leftovers = 0;
  for (int round = 0; round < kRounds; ++round) {
    run_and_kill([&] { keep_replacing_file(scratch / "out"); }, delay(random));
    const std::string text = scratch.read("out");
    ASSERT_FALSE(text.empty());
    ASSERT_EQ(text, version_text(text[0]));
    leftovers += scratch.names().size() - 1;
    {
      ASSERT_TRUE(AtomicFile::create(scratch / "out", true).has_value());
    }
    ASSERT_THAT(scratch.names(), ElementsAre("out"));
  }
  EXPECT_NE(scratch.read("out"), version_text('0'));
  EXPECT_GT(leftovers, 0u);
}

TEST(AKill, LeavesAWholeDirectory) {
  const ScratchDirectory scratch;
  std::filesystem::create_directories(scratch / "out/sub");
  for (const char* const name : {"out/x", "out/sub/y", "out/sub/z"}) {
    scratch.write(name, version_text('0'));
  }
  std::mt19937 random(1);
  std::uniform_int_distribution<unsigned> delay(0, 40'000);  // microseconds
  size_t leftovers = 0;
  for (int round = 0; round < kRounds; ++round) {
    run_and_kill([&] { keep_replacing_directory(scratch / "out"); }, delay(random));
    const std::string text = scratch.read("out/x");
    ASSERT_FALSE(text.empty());
    ASSERT_EQ(text, version_text(text[0]));
    ASSERT_EQ(scratch.read("out/sub/y"), text);
    ASSERT_EQ(scratch.read("out/sub/z"), text);
    leftovers += scratch.names().size() - 1;
    {
      ASSERT_TRUE(AtomicDirectory::create(scratch / "out", true).has_value());
    }
    ASSERT_THAT(scratch.names(), ElementsAre("out"));
  }
  EXPECT_NE(scratch.read("out/x"), version_text('0'));
  EXPECT_GT(leftovers, 0u);
}

}  // namespace
}  // namespace finedelta
