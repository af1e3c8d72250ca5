#include "base/output_target.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "support/temp_dir.h"

namespace finedelta {
namespace {

namespace fs = std::filesystem;

// The message of the kUsage with which a target is refused; "new" or "old" if it is not.
std::string verdict(const std::string& path, OutputKind kind, bool replace = true) {
  const Result<OutputTarget> target = resolve_target(path);
  if (!target.has_value()) {
    EXPECT_EQ(target.error().code, ErrorCode::kUsage);
    return target.error().message;
  }
  const Result<bool> exists = check_target(*target, kind, replace);
  if (!exists.has_value()) {
    EXPECT_EQ(exists.error().code, ErrorCode::kUsage);
    return exists.error().message;
  }
  return *exists ? "old" : "new";
}

// Sets the current directory, or the home directory, for the length of a test.
class Inside {
 public:
  explicit Inside(const std::string& path) : before_(fs::current_path()) { fs::current_path(path); }
  ~Inside() { fs::current_path(before_); }

 private:
  fs::path before_;
};

class Home {
 public:
  explicit Home(const std::string& path) {
    const char* const home = std::getenv("HOME");
    before_ = home ? home : "";
    setenv("HOME", path.c_str(), 1);
  }
  ~Home() { setenv("HOME", before_.c_str(), 1); }

 private:
  std::string before_;
};

TEST(OutputTarget, NamesAreFoundInTheirParent) {
  const TempDir scratch;
  const std::string real = fs::canonical(scratch.path());
  fs::create_directories(scratch.path("a/b"));
  const Inside inside(scratch.path("a"));
  struct Case {
    std::string target, directory, name;
  };
  for (const Case& expected :
       {Case{"x", real + "/a", "x"}, Case{"x///", real + "/a", "x"}, Case{"./x", real + "/a", "x"},
        Case{"../x", real, "x"}, Case{"b//x", real + "/a/b", "x"},
        Case{"b/../x/", real + "/a", "x"}, Case{"b/..", real, "a"}, Case{"b/.", real + "/a", "b"},
        Case{"/x", "/", "x"}, Case{"//x", "/", "x"}, Case{scratch.path("x"), real, "x"}}) {
    const Result<OutputTarget> found = resolve_target(expected.target);
    ASSERT_TRUE(found.has_value()) << found.error().message;
    EXPECT_EQ(found->shown, expected.target);
    EXPECT_EQ(found->directory, expected.directory) << expected.target;
    EXPECT_EQ(found->name, expected.name) << expected.target;
  }
}

TEST(OutputTarget, ImpossibleTargetsAreRefused) {
  const TempDir scratch;
  scratch.write("file", "");
  fs::create_symlink("loop", scratch.path("loop"));
  const auto file = OutputKind::kFile;
  const std::string s = scratch.path();
  EXPECT_EQ(verdict("", file), "the output has an empty name");
  EXPECT_EQ(verdict(std::string("a\0b", 3), file), "'a\\x00b' has a NUL byte in it");
  EXPECT_EQ(verdict("/", file), "'/' is the root directory and is never replaced");
  EXPECT_EQ(verdict("/..", OutputKind::kDirectory),
            "'/..' is the root directory and is never replaced");
  EXPECT_EQ(verdict(s + "/no/x", file),
            "the directory '" + s + "/no' does not exist; create it first");
  EXPECT_EQ(verdict(s + "/file/x", file), "cannot open '" + s + "/file': Not a directory");
  EXPECT_EQ(verdict(s + "/no/..", file),
            "the directory '" + s + "/no/..' does not exist; create it first");
  EXPECT_EQ(verdict(s + "/loop/x", file),
            "cannot open '" + s + "/loop': Too many levels of symbolic links");
  EXPECT_EQ(verdict(std::string(256, 'n'), file),
            "cannot examine '" + std::string(200, 'n') + "...': File name too long");
}

TEST(OutputTarget, AFileReplacesFilesAndLinksOnly) {
  const TempDir scratch;
  const auto file = OutputKind::kFile;
  scratch.write("file", "");
  fs::create_directory(scratch.path("dir"));
  fs::create_symlink("dir", scratch.path("link"));
  fs::create_symlink("nothing", scratch.path("dangling"));
  fs::create_symlink("/dev/null", scratch.path("null"));
  ASSERT_EQ(mkfifo((scratch.path("pipe")).c_str(), 0600), 0);
  EXPECT_EQ(verdict(scratch.path("new"), file), "new");
  EXPECT_EQ(verdict(scratch.path("file"), file), "old");
  EXPECT_EQ(verdict(scratch.path("link"), file), "old");
  EXPECT_EQ(verdict(scratch.path("dangling"), file), "old");
  for (const std::string name : {"file", "link", "dangling"}) {
    EXPECT_EQ(verdict(scratch.path(name), file, false),
              fmt::format("'{}' exists already; use --force to replace it", scratch.path(name)));
  }
  EXPECT_EQ(verdict(scratch.path("new/"), file),
            fmt::format("'{}' names a directory; name a file", scratch.path("new/")));
  for (const std::string name : {"dir", "dir/", "dir/."}) {
    EXPECT_EQ(verdict(scratch.path(name), file),
              fmt::format("'{}' is a directory; name a file", scratch.path(name)));
  }
  for (const std::string& path :
       {scratch.path("pipe"), scratch.path("null"), std::string("/dev/null")}) {
    EXPECT_EQ(verdict(path, file),
              fmt::format("'{}' is not a regular file and is never replaced", path));
  }
}

TEST(OutputTarget, ADirectoryReplacesDirectoriesOnly) {
  const TempDir scratch;
  const auto directory = OutputKind::kDirectory;
  scratch.write("file", "");
  fs::create_directory(scratch.path("dir"));
  fs::create_symlink("dir", scratch.path("link"));
  EXPECT_EQ(verdict(scratch.path("new/"), directory), "new");
  EXPECT_EQ(verdict(scratch.path("dir/"), directory), "old");
  EXPECT_EQ(verdict(scratch.path("dir"), directory, false),
            fmt::format("'{}' exists already; use --force to replace it", scratch.path("dir")));
  EXPECT_EQ(verdict(scratch.path("file"), directory),
            fmt::format("'{}' is not a directory; name a directory", scratch.path("file")));
  for (const std::string name : {"link", "link/"}) {
    EXPECT_EQ(
        verdict(scratch.path(name), directory),
        fmt::format("'{}' is a symbolic link; remove it, or name the directory that it leads to",
                    scratch.path(name)));
  }
  EXPECT_EQ(verdict("/proc", directory),
            "'/proc' is a mount point, which can't be replaced; name a new directory in it");
}

TEST(OutputTarget, TheCurrentAndTheHomeDirectoryAreNeverReplaced) {
  const TempDir scratch;
  fs::create_directories(scratch.path("work/here"));
  fs::create_directories(scratch.path("homes/me"));
  const Inside inside(scratch.path("work/here"));
  const Home home(scratch.path("homes/me"));
  const auto directory = OutputKind::kDirectory;
  for (const std::string& path : {std::string("."), std::string(".."), std::string("./"),
                                  scratch.path("work"), scratch.path("work/here/")}) {
    for (const bool replace : {false, true}) {
      EXPECT_EQ(verdict(path, directory, replace),
                fmt::format(
                    "'{}' holds the current directory and is never replaced; name a new directory",
                    path));
    }
  }
  for (const std::string& path : {scratch.path("homes"), scratch.path("homes/me")}) {
    EXPECT_EQ(
        verdict(path, directory),
        fmt::format("'{}' holds the home directory and is never replaced; name a new directory",
                    path));
  }
  fs::create_directory("below");
  EXPECT_EQ(verdict("below", directory), "old");
  for (const std::string& nowhere : {scratch.path("no/home"), std::string()}) {
    const Home missing(nowhere);
    EXPECT_EQ(verdict("below", directory), "old");
  }
}

TEST(Contains, FollowsLinksAndKnowsEveryName) {
  const TempDir scratch;
  fs::create_directories(scratch.path("outer/inner"));
  fs::create_directory(scratch.path("outer2"));
  scratch.write("outer/file", "");
  scratch.write("apart", "");
  fs::create_symlink("outer/inner", scratch.path("to_inner"));
  fs::create_symlink("outer/file", scratch.path("to_file"));
  fs::create_symlink("../apart", scratch.path("outer/to_apart"));
  fs::create_symlink("outer", scratch.path("to_outer"));
  fs::create_hard_link(scratch.path("apart"), scratch.path("hard"));
  const auto check = [&](const std::string& outer, const std::string& inner) {
    const Result<bool> result = contains(scratch.path(outer), scratch.path(inner));
    EXPECT_TRUE(result.has_value());
    return result.value_or(false);
  };
  EXPECT_TRUE(check("outer", "outer"));
  EXPECT_TRUE(check("outer/", "outer/inner/"));
  EXPECT_TRUE(check("outer", "outer/file"));
  EXPECT_TRUE(check("outer", "outer/new"));
  EXPECT_TRUE(check("outer", "outer/new/"));
  EXPECT_TRUE(check("outer", "outer/inner/../new"));
  EXPECT_TRUE(check("outer", "to_inner"));
  EXPECT_TRUE(check("outer", "to_inner/new"));
  EXPECT_TRUE(check("outer", "to_file"));
  EXPECT_TRUE(check("to_outer", "outer/file"));
  EXPECT_TRUE(check("apart", "hard"));
  EXPECT_FALSE(check("outer", "outer2"));
  EXPECT_FALSE(check("outer", "outer2/new"));
  EXPECT_FALSE(check("outer/inner", "outer"));
  EXPECT_TRUE(check("outer", "outer/to_apart"));
  EXPECT_FALSE(check("outer", "new"));
  EXPECT_FALSE(check("new", "new"));
  EXPECT_FALSE(check("outer/file", "apart"));
  EXPECT_TRUE(contains("/", scratch.path()).value());
}

TEST(Contains, TakesRelativePaths) {
  const TempDir scratch;
  fs::create_directory(scratch.path("outer"));
  const Inside inside(scratch.path("outer"));
  EXPECT_TRUE(contains("..", "new").value());
  EXPECT_TRUE(contains(".", "new").value());
  EXPECT_FALSE(contains(".", "../new").value());
}

TEST(Contains, APipeWithoutANameLiesNowhere) {
  const TempDir scratch;
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const Descriptor reader(ends[0]);
  const Descriptor writer(ends[1]);
  fs::create_symlink("/proc/self/fd/" + std::to_string(ends[1]), scratch.path("link"));
  EXPECT_FALSE(contains(scratch.path(), scratch.path("link")).value());
}

TEST(Contains, NeedsTheParent) {
  const TempDir scratch;
  const Result<bool> result = contains(scratch.path(), scratch.path("no/new"));
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, ErrorCode::kUsage);
  EXPECT_EQ(result.error().message,
            fmt::format("the directory '{}' does not exist; create it first", scratch.path("no")));
}

}  // namespace
}  // namespace finedelta
