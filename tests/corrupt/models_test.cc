// Inputs that are no plain files, or change under the hands of whoever reads them.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "base/error.h"
#include "finedelta/finedelta.h"
#include "support/error_text.h"
#include "support/make_safetensors.h"
#include "support/temp_dir.h"

namespace finedelta {

namespace {

constexpr uint64_t kChunk = uint64_t{1} << 18;  // bytes of a U8 tensor
constexpr uint64_t kSize = 4 * kChunk;

class HostileInputTest : public testing::Test {
 protected:
  // A tensor of bytes without a pattern; every 1000th is `mark`.
  std::string write_model(std::string_view path, char mark) const {
    std::string bytes;
    uint64_t state = 1;
    for (uint64_t i = 0; i < kSize; ++i) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      bytes += i % 1000 == 0 ? mark : static_cast<char>(state >> 56);
    }
    return dir_.write(
        path,
        make_safetensors({{.name = "t", .dtype = DType::kU8, .shape = {kSize}, .bytes = bytes}}));
  }

  [[nodiscard]] std::string ends_early(const std::string& path) const {
    return fmt::format("damaged: {} ends at byte {}, before the data that it should hold",
                       quote(path), kSize / 2);
  }

  std::string make_fifo(std::string_view path) const {
    EXPECT_EQ(mkfifo(dir_.path(path).c_str(), 0600), 0);
    return dir_.path(path);
  }

  // Cuts the file to half its size as soon as the work has begun.
  template <typename T>
  T cutting(const std::string& path, T options) const {
    options.threads = 1;
    options.progress = [path, cut = false](const Progress&) mutable {
      if (!cut) std::filesystem::resize_file(path, kSize / 2);
      cut = true;
    };
    return options;
  }

  TempDir dir_;
};

TEST_F(HostileInputTest, NobodyWaitsForAFifo) {
  const std::string fifo = make_fifo("x.safetensors");
  const std::string model = write_model("model.safetensors", 'm');
  const std::string refusal = "damaged: " + quote(fifo) + " is not a regular file";
  EXPECT_EQ(error_text(inspect(fifo)), refusal);
  EXPECT_EQ(error_text(verify(fifo)), refusal);
  EXPECT_EQ(error_text(unpack({model}, fifo, dir_.path("out"))), refusal);
  EXPECT_EQ(error_text(ArchiveReader::open(fifo)), refusal);
  EXPECT_EQ(error_text(pack({fifo}, model, dir_.path("out"))), refusal);
  EXPECT_EQ(error_text(pack({model}, fifo, dir_.path("out"))), refusal);
  EXPECT_EQ(error_text(plan({model}, fifo)), refusal);
  EXPECT_FALSE(is_archive(fifo));
}

TEST_F(HostileInputTest, ALongNameComesBack) {
  const std::string model = dir_.write(
      "model.safetensors",
      make_safetensors({{.name = std::string(3 << 20, 'n'), .shape = {1}, .bytes = "x"}}));
  const std::string archive = dir_.path("archive");
  ASSERT_EQ(error_text(pack({model}, model, archive)), "no error");
  EXPECT_EQ(error_text(verify(archive, {model})), "no error");
}

TEST_F(HostileInputTest, AFineTuneThatIsCutWhilePacked) {
  const std::string model = write_model("model.safetensors", 'm');
  const auto packed = pack({}, model, dir_.path("out"), cutting(model, PackOptions()));
  EXPECT_EQ(error_text(packed), ends_early(model));
  EXPECT_FALSE(std::filesystem::exists(dir_.path("out")));
}

TEST_F(HostileInputTest, ABaseThatIsCutWhileUnpacked) {
  const std::string base = write_model("base.safetensors", 'b');
  const std::string model = write_model("model.safetensors", 'm');
  const std::string archive = dir_.path("archive");
  ASSERT_EQ(error_text(pack({base}, model, archive)), "no error");
  const auto unpacked = unpack({base}, archive, dir_.path("out"), cutting(base, UnpackOptions()));
  EXPECT_EQ(error_text(unpacked), ends_early(base));
  EXPECT_FALSE(std::filesystem::exists(dir_.path("out")));
}

TEST_F(HostileInputTest, AnArchiveThatIsCutWhileUnpacked) {
  const std::string model = write_model("model.safetensors", 'm');
  const std::string archive = dir_.path("archive");
  ASSERT_EQ(error_text(pack({}, model, archive)), "no error");
  ASSERT_GT(std::filesystem::file_size(archive), kSize);
  const auto unpacked = unpack({}, archive, dir_.path("out"), cutting(archive, UnpackOptions()));
  EXPECT_EQ(error_text(unpacked), ends_early(archive));
  EXPECT_FALSE(std::filesystem::exists(dir_.path("out")));
}

}  // namespace

}  // namespace finedelta
