#include "base/atomic_output.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <utility>

#include "support/child_process.h"
#include "support/temp_dir.h"

namespace finedelta {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::MatchesRegex;

constexpr const char* kDead = ".out.finedelta-0123abcd.tmp";

AtomicFile file_at(const std::string& target, const std::string& text, bool replace = false) {
  Result<AtomicFile> output = AtomicFile::create(target, replace);
  if (!output.has_value()) throw std::runtime_error(output.error().message);
  EXPECT_TRUE(output->file().write(0, as_bytes(text)).has_value());
  return std::move(*output);
}

AtomicDirectory directory_at(const std::string& target, const std::string& text,
                             bool replace = false) {
  Result<AtomicDirectory> output = AtomicDirectory::create(target, replace);
  if (!output.has_value()) throw std::runtime_error(output.error().message);
  const Result<OutputFile> file = output->create_file("a/b/file", false);
  EXPECT_TRUE(file.has_value());
  EXPECT_TRUE(file->write(0, as_bytes(text)).has_value());
  return std::move(*output);
}

// The message of a failure with `code`; "" for success.
template <typename T>
std::string why(const Result<T>& result, ErrorCode code = ErrorCode::kUsage) {
  if (result.has_value()) return "";
  EXPECT_EQ(result.error().code, code);
  return result.error().message;
}

std::string exists(const std::string& path) {
  return fmt::format("'{}' exists already; use --force to replace it", path);
}

unsigned mode_of(const std::string& path) {
  struct stat info{};
  EXPECT_EQ(lstat(path.c_str(), &info), 0);
  return info.st_mode & 07777;
}

TEST(AtomicFile, AppearsWhenItIsPublished) {
  const TempDir scratch;
  const mode_t mask = umask(027);
  {
    AtomicFile output = file_at(scratch.path("out"), "text");
    EXPECT_THAT(scratch.names(), ElementsAre(MatchesRegex(R"(\.out\.finedelta-[0-9a-f]{8}\.tmp)")));
    EXPECT_EQ(why(output.publish()), "");
    EXPECT_THAT(scratch.names(), ElementsAre("out"));
  }
  umask(mask);
  EXPECT_EQ(scratch.read("out"), "text");
  EXPECT_EQ(mode_of(scratch.path("out")), 0640u);
}

TEST(AtomicFile, LeavesNothingUnlessPublished) {
  const TempDir scratch;
  scratch.write("out", "old");
  {
    AtomicFile output = file_at(scratch.path("out"), "new", true);
  }
  EXPECT_THAT(scratch.names(), ElementsAre("out"));
  EXPECT_EQ(scratch.read("out"), "old");
}

TEST(AtomicFile, Moves) {
  const TempDir scratch;
  AtomicFile first = file_at(scratch.path("first"), "1");
  AtomicFile second = file_at(scratch.path("second"), "2");
  second = std::move(first);
  EXPECT_THAT(scratch.names(), ElementsAre(testing::StartsWith(".first.")));
  EXPECT_EQ(why(second.publish()), "");
  EXPECT_EQ(scratch.read("first"), "1");
}

TEST(AtomicFile, ReplacesOnlyWhenAsked) {
  const TempDir scratch;
  scratch.write("out", "old");
  EXPECT_EQ(why(AtomicFile::create(scratch.path("out"), false)), exists(scratch.path("out")));
  EXPECT_EQ(why(file_at(scratch.path("out"), "new", true).publish()), "");
  EXPECT_EQ(scratch.read("out"), "new");
  EXPECT_THAT(scratch.names(), ElementsAre("out"));
}

TEST(AtomicFile, ReplacesALinkNotWhatItLeadsTo) {
  const TempDir scratch;
  scratch.write("precious", "old");
  fs::create_symlink("precious", scratch.path("out"));
  EXPECT_EQ(why(file_at(scratch.path("out"), "new", true).publish()), "");
  EXPECT_FALSE(fs::is_symlink(scratch.path("out")));
  EXPECT_EQ(scratch.read("out"), "new");
  EXPECT_EQ(scratch.read("precious"), "old");
}

TEST(AtomicFile, ATargetThatAppearsMeanwhileIsKept) {
  const TempDir scratch;
  {
    AtomicFile output = file_at(scratch.path("out"), "mine");
    scratch.write("out", "theirs");
    EXPECT_EQ(why(output.publish()), exists(scratch.path("out")));
  }
  EXPECT_EQ(scratch.read("out"), "theirs");
  EXPECT_THAT(scratch.names(), ElementsAre("out"));
  {
    AtomicFile output = file_at(scratch.path("other"), "mine", true);
    fs::create_directory(scratch.path("other"));
    EXPECT_EQ(why(output.publish()),
              fmt::format("'{}' is a directory; name a file", scratch.path("other")));
  }
  EXPECT_THAT(scratch.names(), ElementsAre("other", "out"));
}

TEST(AtomicFile, AChangeOfDirectoryChangesNothing) {
  const TempDir scratch;
  fs::create_directory(scratch.path("work"));
  const fs::path before = fs::current_path();
  fs::current_path(scratch.path("work"));
  AtomicFile file = file_at("./file", "1");
  AtomicDirectory directory = directory_at("../directory/", "2");
  fs::current_path(before);
  EXPECT_EQ(why(file.publish()), "");
  EXPECT_EQ(why(directory.publish()), "");
  EXPECT_EQ(scratch.read("work/file"), "1");
  EXPECT_EQ(scratch.read("directory/a/b/file"), "2");
}

TEST(AtomicFile, ADirectoryThatCannotBeWrittenTo) {
  EXPECT_TRUE(succeeds_in_child([] {
    const TempDir scratch;
    fs::create_directory(scratch.path("closed"));
    ASSERT_EQ(chmod(scratch.path().c_str(), 0755), 0);
    ASSERT_EQ(chmod((scratch.path("closed")).c_str(), 0555), 0);
    const bool is_root = geteuid() == 0;
    ASSERT_EQ(is_root ? seteuid(65534) : 0, 0);
    const std::string expected =
        fmt::format("cannot write to '{}': Permission denied", scratch.path("closed"));
    EXPECT_EQ(why(AtomicFile::create(scratch.path("closed/out"), false)), expected);
    EXPECT_EQ(why(AtomicDirectory::create(scratch.path("closed/out"), false)), expected);
    ASSERT_EQ(is_root ? seteuid(0) : 0, 0);
  }));
}

TEST(AtomicFile, NamesNearTheLimitWork) {
  const TempDir scratch;
  for (const size_t length : {230u, 231u, 232u, 255u}) {
    const std::string name(length, 'n');
    AtomicFile output = file_at(scratch.path(name), "text");
    ASSERT_EQ(scratch.names().size(), 1u);
    EXPECT_EQ(scratch.names()[0].size(), std::min<size_t>(length + 24, 255));
    EXPECT_EQ(why(output.publish()), "");
    EXPECT_EQ(scratch.read(name), "text");
    fs::remove(scratch.path(name));
  }
  // Two bytes a character, one of which is cut in half by the limit.
  std::string name = "x";
  while (name.size() < 255) name += "\xc3\xa9";
  AtomicFile output = file_at(scratch.path(name), "text");
  EXPECT_EQ(scratch.names()[0].size(), 255u);
  EXPECT_EQ(why(output.publish()), "");
  const std::string shorter = name.substr(0, 253);
  AtomicFile cut = file_at(scratch.path("y" + shorter), "text");
  EXPECT_EQ(scratch.names()[0].size(), 254u);
}

TEST(Leftovers, OfKilledRunsAreRemoved) {
  const TempDir scratch;
  scratch.write(kDead, "");
  fs::create_directories(scratch.path(".out.finedelta-fedcba98.tmp/a/b"));
  scratch.write(".out.finedelta-fedcba98.tmp/a/b/file", "");
  fs::create_directory(scratch.path("outside"));
  scratch.write("outside/file", "kept");
  fs::create_directory_symlink(scratch.path("outside"),
                               scratch.path(".out.finedelta-fedcba98.tmp/a/link"));
  {
    AtomicFile output = file_at(scratch.path("out"), "");
  }
  EXPECT_THAT(scratch.names(), ElementsAre("outside"));
  EXPECT_EQ(scratch.read("outside/file"), "kept");
  scratch.write(kDead, "");
  {
    AtomicDirectory output = directory_at(scratch.path("out"), "");
  }
  EXPECT_THAT(scratch.names(), ElementsAre("outside"));
}

TEST(Leftovers, NothingElseIsRemoved) {
  const TempDir scratch;
  const std::vector<std::string> others = {
      ".out.finedelta-0123abc.tmp",   ".out.finedelta-0123abcd.tmp.gz",
      ".out.finedelta-0123abcde.tmp", ".out.finedelta-0123abcg.tmp",
      ".out2.finedelta-0123abcd.tmp", ".ut.finedelta-0123abcd.tmp",
      "out.finedelta-0123abcd.tmp"};
  for (const std::string& name : others) scratch.write(name, "");
  fs::create_symlink(others[0], scratch.path(kDead));
  {
    AtomicFile output = file_at(scratch.path("out"), "");
  }
  std::vector<std::string> expected = others;
  expected.emplace_back(kDead);
  EXPECT_THAT(scratch.names(), testing::UnorderedElementsAreArray(expected));
}

TEST(Leftovers, WhatAnotherRunHoldsIsKept) {
  const TempDir scratch;
  scratch.write(kDead, "");
  const Descriptor other(open((scratch.path(kDead)).c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_EQ(flock(other.get(), LOCK_EX), 0);
  {
    AtomicFile output = file_at(scratch.path("out"), "");
  }
  EXPECT_THAT(scratch.names(), ElementsAre(kDead));
}

TEST(TwoRuns, TheFirstToFinishWins) {
  const TempDir scratch;
  {
    AtomicFile first = file_at(scratch.path("out"), "first");
    AtomicFile second = file_at(scratch.path("out"), "second");
    EXPECT_EQ(scratch.names().size(), 2u);
    EXPECT_EQ(why(second.publish()), "");
    EXPECT_EQ(why(first.publish()), exists(scratch.path("out")));
  }
  EXPECT_THAT(scratch.names(), ElementsAre("out"));
  EXPECT_EQ(scratch.read("out"), "second");
}

TEST(TwoRuns, BothMayReplace) {
  const TempDir scratch;
  EXPECT_EQ(why(directory_at(scratch.path("out"), "old").publish()), "");
  {
    AtomicDirectory first = directory_at(scratch.path("out"), "first", true);
    AtomicDirectory second = directory_at(scratch.path("out"), "second", true);
    EXPECT_EQ(why(second.publish()), "");
    EXPECT_EQ(scratch.read("out/a/b/file"), "second");
    EXPECT_EQ(why(first.publish()), "");
  }
  EXPECT_EQ(scratch.read("out/a/b/file"), "first");
  EXPECT_THAT(scratch.names(), ElementsAre("out"));
}

// Each run looks for left-overs while others create, lock and remove theirs.
TEST(TwoRuns, ManyAtOnceGetTheirTemporaries) {
  const TempDir scratch;
  std::vector<pid_t> children;
  for (int child = 0; child < 4; ++child) {
    children.push_back(start_child([&] {
      for (int round = 0; round < 100; ++round) {
        const AtomicFile file = file_at(scratch.path("out"), "text");
        const AtomicDirectory directory = directory_at(scratch.path("out"), "text");
        EXPECT_EQ(why(directory.create_file("last", false)), "");
        struct stat info{};
        EXPECT_EQ(fstat(file.file().descriptor(), &info), 0);
        EXPECT_EQ(info.st_nlink, 1u);
      }
    }));
  }
  for (const pid_t child : children) {
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  EXPECT_THAT(scratch.names(), ElementsAre());
}

TEST(AtomicDirectory, AppearsWhenItIsPublished) {
  const TempDir scratch;
  const mode_t mask = umask(022);
  {
    AtomicDirectory output = directory_at(scratch.path("out"), "text");
    EXPECT_EQ(output.path(), fs::canonical(scratch.path()).string() + "/" + scratch.names().at(0));
    EXPECT_EQ(why(output.make_directories("empty/one")), "");
    EXPECT_EQ(why(output.create_file("run.sh", true)), "");
    EXPECT_EQ(why(output.publish()), "");
  }
  umask(mask);
  EXPECT_THAT(scratch.names(), ElementsAre("out"));
  EXPECT_EQ(scratch.read("out/a/b/file"), "text");
  EXPECT_TRUE(fs::is_directory(scratch.path("out/empty/one")));
  EXPECT_EQ(mode_of(scratch.path("out")), 0755u);
  EXPECT_EQ(mode_of(scratch.path("out/a/b/file")), 0644u);
  EXPECT_EQ(mode_of(scratch.path("out/run.sh")), 0755u);
}

TEST(AtomicDirectory, LeavesNothingUnlessPublished) {
  const TempDir scratch;
  {
    AtomicDirectory output = directory_at(scratch.path("out"), "text");
  }
  EXPECT_THAT(scratch.names(), ElementsAre());
}

TEST(AtomicDirectory, ReplacesAWholeDirectory) {
  const TempDir scratch;
  fs::create_directories(scratch.path("out/old/deep"));
  scratch.write("out/old/deep/file", "old");
  EXPECT_EQ(why(AtomicDirectory::create(scratch.path("out"), false)), exists(scratch.path("out")));
  {
    AtomicDirectory output = directory_at(scratch.path("out"), "new", true);
    EXPECT_EQ(scratch.read("out/old/deep/file"), "old");
    EXPECT_EQ(why(output.publish()), "");
  }
  EXPECT_THAT(scratch.names(), ElementsAre("out"));
  EXPECT_FALSE(fs::exists(scratch.path("out/old")));
  EXPECT_EQ(scratch.read("out/a/b/file"), "new");
}

TEST(AtomicDirectory, ATargetThatAppearsMeanwhileIsKept) {
  const TempDir scratch;
  for (const bool is_file : {false, true}) {
    AtomicDirectory output = directory_at(scratch.path("out"), "mine");
    if (is_file) {
      scratch.write("out", "theirs");
    } else {
      fs::create_directory(scratch.path("out"));  // empty: a plain rename would replace it
    }
    EXPECT_EQ(why(output.publish()), exists(scratch.path("out")));
    EXPECT_EQ(fs::is_directory(scratch.path("out")), !is_file);
    fs::remove(scratch.path("out"));
  }
  AtomicDirectory output = directory_at(scratch.path("out"), "mine", true);
  scratch.write("out", "theirs");
  EXPECT_EQ(why(output.publish()),
            fmt::format("'{}' is not a directory; name a directory", scratch.path("out")));
  EXPECT_EQ(scratch.read("out"), "theirs");
}

TEST(AtomicDirectory, AReplacedTargetMayBeGoneOrAppear) {
  const TempDir scratch;
  fs::create_directory(scratch.path("out"));
  AtomicDirectory first = directory_at(scratch.path("out"), "first", true);
  fs::remove(scratch.path("out"));
  EXPECT_EQ(why(first.publish()), "");
  EXPECT_EQ(scratch.read("out/a/b/file"), "first");
  AtomicDirectory second = directory_at(scratch.path("out2"), "second", true);
  fs::create_directory(scratch.path("out2"));
  EXPECT_EQ(why(second.publish()), "");
  EXPECT_EQ(scratch.read("out2/a/b/file"), "second");
}

TEST(AtomicDirectory, PathsStayInside) {
  const TempDir scratch;
  fs::create_directory(scratch.path("outside"));
  const AtomicDirectory output = directory_at(scratch.path("out"), "text");
  EXPECT_EQ(why(output.create_file("../outside/x", false), ErrorCode::kDamaged),
            "'../outside/x' would be written outside the output directory");
  EXPECT_EQ(why(output.make_directories("/outside"), ErrorCode::kDamaged),
            "'/outside' would be written outside the output directory");
  fs::create_symlink(scratch.path("outside"), output.path() + "/link");
  fs::create_symlink(scratch.path("outside/new"), output.path() + "/dangling");
  EXPECT_EQ(
      why(output.create_file("link/x", false), ErrorCode::kDamaged),
      fmt::format("'{}' is to be a directory, but a file has that name", scratch.path("out/link")));
  EXPECT_EQ(why(output.create_file("dangling", false), ErrorCode::kDamaged),
            fmt::format("'{}' is to be written, but that name is already taken",
                        scratch.path("out/dangling")));
  EXPECT_TRUE(fs::is_empty(scratch.path("outside")));
}

TEST(AtomicDirectory, NamesAreTakenOnce) {
  const TempDir scratch;
  const AtomicDirectory output = directory_at(scratch.path("out"), "text");
  for (const std::string taken : {"a/b/file", "a/b"}) {
    EXPECT_EQ(why(output.create_file(taken, false), ErrorCode::kDamaged),
              fmt::format("'{}' is to be written, but that name is already taken",
                          scratch.path("out/" + taken)));
  }
  EXPECT_EQ(why(output.create_file("a/b/file/c", false), ErrorCode::kDamaged),
            fmt::format("'{}' is to be a directory, but a file has that name",
                        scratch.path("out/a/b/file")));
  EXPECT_EQ(why(output.make_directories("a/b")), "");
}

// As on a network file system: no renaming without replacing, no exchange.
class PlainRenames : public testing::TestWithParam<bool> {
 protected:
  static void deny() {
    ASSERT_TRUE(deny_system_call(SYS_renameat2, EINVAL, false));
    const bool has_links = GetParam();
    ASSERT_TRUE(has_links || deny_system_call(SYS_linkat, EPERM, true));
  }
};
INSTANTIATE_TEST_SUITE_P(AtomicOutput, PlainRenames, testing::Values(true, false));

TEST_P(PlainRenames, NewOutputsAppear) {
  EXPECT_TRUE(succeeds_in_child([] {
    deny();
    const TempDir scratch;
    EXPECT_EQ(why(file_at(scratch.path("file"), "1").publish()), "");
    EXPECT_EQ(why(directory_at(scratch.path("directory"), "2").publish()), "");
    EXPECT_THAT(scratch.names(), ElementsAre("directory", "file"));
    EXPECT_EQ(scratch.read("file"), "1");
    EXPECT_EQ(scratch.read("directory/a/b/file"), "2");
    EXPECT_EQ(fs::hard_link_count(scratch.path("file")), 1u);
  }));
}

TEST_P(PlainRenames, NothingIsOverwritten) {
  EXPECT_TRUE(succeeds_in_child([] {
    deny();
    const TempDir scratch;
    {
      AtomicFile file = file_at(scratch.path("file"), "mine");
      AtomicDirectory directory = directory_at(scratch.path("directory"), "mine");
      scratch.write("file", "theirs");
      fs::create_directory(scratch.path("directory"));
      EXPECT_EQ(why(file.publish()), exists(scratch.path("file")));
      EXPECT_EQ(why(directory.publish()), exists(scratch.path("directory")));
    }
    EXPECT_THAT(scratch.names(), ElementsAre("directory", "file"));
    EXPECT_EQ(scratch.read("file"), "theirs");
    EXPECT_TRUE(fs::is_empty(scratch.path("directory")));
  }));
}

TEST_P(PlainRenames, FilesAreReplacedAndDirectoriesRefused) {
  EXPECT_TRUE(succeeds_in_child([] {
    deny();
    const TempDir scratch;
    scratch.write("file", "old");
    EXPECT_EQ(why(file_at(scratch.path("file"), "new", true).publish()), "");
    EXPECT_EQ(scratch.read("file"), "new");
    fs::create_directory(scratch.path("directory"));
    const std::string expected = fmt::format(
        "'{}' can't be replaced in one step on this file system; remove it or choose another name",
        scratch.path("directory"));
    EXPECT_EQ(why(AtomicDirectory::create(scratch.path("directory"), true)), expected);
    // Not there when it was created, so that only publishing finds out.
    {
      AtomicDirectory late = directory_at(scratch.path("late"), "new", true);
      fs::create_directory(scratch.path("late"));
      scratch.write("late/file", "theirs");
      EXPECT_EQ(why(late.publish()),
                fmt::format("'{}' can't be replaced in one step on this file system; remove it or "
                            "choose another name",
                            scratch.path("late")));
    }
    EXPECT_EQ(scratch.read("late/file"), "theirs");
    EXPECT_THAT(scratch.names(), ElementsAre("directory", "file", "late"));
  }));
}

TEST(SteadySync, TakesAnyStep) {
  const TempDir scratch;
  const AtomicFile output = file_at(scratch.path("out"), "text");
  SteadySync steady;
  for (const uint64_t end : {uint64_t{0}, uint64_t{4}, uint64_t{64} << 20, uint64_t{1} << 40}) {
    steady.written_up_to(output.file(), end);
  }
}

}  // namespace
}  // namespace finedelta
