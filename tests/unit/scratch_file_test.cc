#include "base/scratch_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <thread>
#include <vector>

#include "base/error.h"
#include "support/error_text.h"
#include "support/temp_dir.h"
#include "unit/pseudo_random.h"

namespace finedelta {
namespace {

std::unique_ptr<ScratchFile> created(const std::string& directory) {
  auto file = ScratchFile::create(directory);
  EXPECT_EQ(error_text(file), "no error");
  return std::move(file).value();
}

void expect_read(const ScratchFile& file, uint64_t offset, Bytes expected) {
  std::vector<std::byte> read(expected.size());
  EXPECT_EQ(error_text(file.read(offset, read)), "no error");
  EXPECT_TRUE(std::ranges::equal(read, expected));
}

void on_four_threads(const std::function<void(uint64_t seed)>& work) {
  std::vector<std::jthread> threads;
  threads.reserve(4);
  for (uint64_t seed = 0; seed < 4; ++seed) threads.emplace_back(work, seed);
}

TEST(ScratchFile, GivesBackWhatWasAppended) {
  const TempDir dir;
  const auto file = created(dir.path(""));
  std::vector<uint64_t> offsets;
  for (size_t size = 0; size < 3000; size += 100) {
    const auto offset = file->append({pseudo_random_bytes(size, size)});
    ASSERT_EQ(error_text(offset), "no error");
    offsets.push_back(*offset);
  }
  for (size_t i = 0; i < offsets.size(); ++i) {
    expect_read(*file, offsets[i], pseudo_random_bytes(100 * i, 100 * i));
  }
}

TEST(ScratchFile, HasNoName) {
  const TempDir dir;
  const auto file = created(dir.path(""));
  ASSERT_TRUE(file->append({pseudo_random_bytes(100, 1)}).has_value());
  EXPECT_TRUE(std::filesystem::is_empty(dir.path("")));
}

TEST(ScratchFile, ThreadsAppendAndReadAtOnce) {
  const TempDir dir;
  const auto file = created(dir.path(""));
  const auto work = [&file](uint64_t seed) {
    for (uint64_t i = 0; i < 200; ++i) {
      const auto bytes = pseudo_random_bytes(1 + (seed * 200 + i) % 999, seed * 200 + i);
      const auto offset = file->append({bytes});
      ASSERT_TRUE(offset.has_value());
      expect_read(*file, *offset, bytes);
    }
  };
  on_four_threads(work);
}

TEST(ScratchFile, PartsStayTogether) {
  const TempDir dir;
  const auto file = created(dir.path(""));
  const auto work = [&file](uint64_t seed) {
    for (uint64_t i = 0; i < 200; ++i) {
      const auto bytes = pseudo_random_bytes(1000, seed * 200 + i);
      const Bytes whole(bytes);
      const auto offset = file->append({whole.first(300), {}, whole.subspan(300)});
      ASSERT_TRUE(offset.has_value());
      expect_read(*file, *offset, bytes);
    }
  };
  on_four_threads(work);
}

TEST(ScratchFile, WhatIsNotThereCanNotBeRead) {
  const TempDir dir;
  const auto file = created(dir.path(""));
  ASSERT_TRUE(file->append({pseudo_random_bytes(100, 1)}).has_value());
  std::vector<std::byte> read(101);
  EXPECT_FALSE(file->read(0, read).has_value());
  EXPECT_FALSE(file->read(100, MutableBytes(read).first(1)).has_value());
  EXPECT_EQ(error_text(file->read(100, {})), "no error");
}

TEST(ScratchFile, NeedsADirectory) {
  const TempDir dir;
  const auto file = ScratchFile::create(dir.path("missing"));
  ASSERT_FALSE(file.has_value());
  EXPECT_EQ(file.error().code, ErrorCode::kFailure);
}

}  // namespace
}  // namespace finedelta
