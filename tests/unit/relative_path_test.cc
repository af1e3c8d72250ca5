#include "base/relative_path.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

namespace finedelta {
namespace {

std::string why(std::string_view path) {
  const Status status = check_relative_path(path);
  if (status.has_value()) return "";
  EXPECT_EQ(status.error().code, ErrorCode::kDamaged);
  return status.error().message;
}

TEST(RelativePath, OrdinaryPathsPass) {
  for (const char* const path : {"a", "model.safetensors", "a/b/c", "...", "..a", "a..", ".hidden",
                                 "a b/\xc3\xa9", "-", "a\\b", "C:x"}) {
    EXPECT_EQ(why(path), "") << path;
  }
  EXPECT_EQ(why(std::string(255, 'x')), "");
}

TEST(RelativePath, WhatLeavesTheDirectoryIsRefused) {
  for (const std::string path : {"..", "../a", "a/..", "a/../b", "/", "/etc/passwd", "//a"}) {
    EXPECT_EQ(why(path), fmt::format("'{}' would be written outside the output directory", path));
  }
}

TEST(RelativePath, UncleanPathsAreRefused) {
  EXPECT_EQ(why(""), "a file has an empty path");
  for (const std::string path : {"a/", "a//b"}) {
    EXPECT_EQ(why(path), fmt::format("'{}' has an empty part", path));
  }
  for (const std::string path : {".", "./a", "a/.", "a/./b"}) {
    EXPECT_EQ(why(path), fmt::format("'{}' has a part '.'", path));
  }
  EXPECT_EQ(why(std::string_view("a\0b", 3)), "'a\\x00b' has a NUL byte in it");
}

TEST(RelativePath, LengthsAreLimited) {
  std::string longest;
  while (longest.size() < 4095) longest += "x/";
  longest.resize(4095, 'x');
  longest += 'y';
  EXPECT_EQ(why(longest), "");
  EXPECT_TRUE(
      why(longest + 'z').ends_with("' has 4097 bytes, more than the 4096 that a path may have"));
  EXPECT_TRUE(why("a/" + std::string(256, 'x'))
                  .ends_with("' has a part of 256 bytes, more than the 255 that it may have"));
}

}  // namespace
}  // namespace finedelta
