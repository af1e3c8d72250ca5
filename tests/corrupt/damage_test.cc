// Damage as disks and networks do it: every bit, every length.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "archive/layout.h"
#include "base/error.h"
#include "corrupt/lies.h"
#include "finedelta/finedelta.h"
#include "support/error_text.h"

namespace finedelta::corrupt {

namespace {

constexpr size_t kMagicBegin = 8;  // behind the length field
constexpr std::string_view kMagic = R"({"__metadata__":{"format":"finedelta","version":")";

class DamageTest : public testing::Test {
 protected:
  void write(std::string_view content) { dir_.write("archive", content); }

  // What verify says of the archive.
  std::string refusal() {
    const std::string text = error_text(verify(archive_));
    // Whoever finds the archive open finds its index in order; nobody crashes.
    if (inspect(archive_).has_value()) {
      EXPECT_NE(error_text(verify(archive_, {base_})), "no error");
    } else {
      EXPECT_EQ(error_text(inspect(archive_)), text);
    }
    return text;
  }

  std::string not_an_archive() const {
    return fmt::format("damaged: {} is not a finedelta archive, or its beginning is damaged",
                       quote(archive_));
  }

  // Flips every bit in turn.
  void expect_every_flip_is_found();

  TempDir dir_;
  std::string archive_ = dir_.path("archive");
  std::string base_ = write_sample_base(dir_);
  std::string sound_ = seal(regions_of(sample_parts()));
};

TEST_F(DamageTest, TheSampleIsSound) {
  write(sound_);
  const auto checked = verify(archive_);
  ASSERT_EQ(error_text(checked), "no error");
  EXPECT_EQ(checked->chunks, static_cast<uint64_t>(kSampleChunks));
  EXPECT_FALSE(checked->rebuilt);
  const auto rebuilt = verify(archive_, {base_});
  ASSERT_EQ(error_text(rebuilt), "no error");
  EXPECT_TRUE(rebuilt->rebuilt);
  EXPECT_EQ(rebuilt->files, 8u);
  UnpackOptions options;
  options.sha256 = true;
  EXPECT_EQ(error_text(unpack({base_}, archive_, dir_.path("out"), options)), "no error");
  EXPECT_TRUE(std::filesystem::is_directory(dir_.path("out/empty")));
}

TEST_F(DamageTest, ANewerVersionThatAsksForNoNewerReaderIsRead) {
  const auto size_at = [&](std::string_view name) {
    return std::stoull(sound_.substr(sound_.find("\"shape\":[", sound_.find(name)) + 9));
  };
  const archive::Layout newer{.version = 12,
                              .payload_size = size_at("finedelta.payload"),
                              .side_size = size_at("finedelta.side"),
                              .index_size = size_at("finedelta.index")};
  const auto summary = inspect(
      dir_.write("archive", archive::encode_layout(newer) + sound_.substr(archive::kHeaderSlot)));
  ASSERT_EQ(error_text(summary), "no error");
  EXPECT_EQ(summary->format_version, 12u);
}

void DamageTest::expect_every_flip_is_found() {
  write(sound_);
  std::fstream file(archive_, std::ios::binary | std::ios::in | std::ios::out);
  const auto put = [&](size_t at, char byte) {
    file.seekp(static_cast<std::streamoff>(at)).put(byte).flush();
    ASSERT_TRUE(file.good());
  };
  for (size_t bit = 0; bit < sound_.size() * 8; ++bit) {
    const size_t at = bit / 8;
    put(at, static_cast<char>(sound_[at] ^ 1 << bit % 8));
    const std::string text = refusal();
    put(at, sound_[at]);
    if (at >= kMagicBegin && at < kMagicBegin + kMagic.size()) {
      EXPECT_EQ(text, not_an_archive()) << "bit " << bit;
    } else {
      // Nor does any make it an archive of another version.
      EXPECT_EQ(text.substr(0, 9), "damaged: ") << "bit " << bit << ": " << text;
    }
  }
}

TEST_F(DamageTest, EveryFlippedBitIsFound) { expect_every_flip_is_found(); }

TEST_F(DamageTest, EveryFlippedBitOfAProgressiveArchiveIsFound) {
  sound_ = seal(regions_of(progressive_sample()));
  expect_every_flip_is_found();
}

TEST_F(DamageTest, EveryTruncationIsFound) {
  const std::string path = quote(archive_);
  write(sound_);
  for (size_t length = sound_.size(); length-- > 0;) {
    std::filesystem::resize_file(archive_, length);
    const std::string text = refusal();
    if (length < kMagicBegin + kMagic.size()) {
      EXPECT_EQ(text, not_an_archive());
    } else if (length < archive::kHeaderSlot) {
      EXPECT_EQ(text,
                fmt::format("damaged: {} ends at byte {}, before the data that it should hold",
                            path, length));
    } else {
      EXPECT_EQ(text, fmt::format("damaged: {} has {} bytes where its header promises {}", path,
                                  length, sound_.size()));
    }
  }
}

TEST_F(DamageTest, BytesBehindAreFound) {
  for (const std::string& more : {std::string(1, '\0'), std::string("\n"), sound_}) {
    write(sound_ + more);
    EXPECT_EQ(refusal(), fmt::format("damaged: {} has {} bytes where its header promises {}",
                                     quote(archive_), sound_.size() + more.size(), sound_.size()));
  }
}

}  // namespace

}  // namespace finedelta::corrupt
