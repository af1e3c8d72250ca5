#include "corrupt/lies.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <regex>
#include <set>

#include "base/error.h"
#include "finedelta/finedelta.h"
#include "support/error_text.h"

namespace finedelta::corrupt {

// What a failing test prints of its parameter.
static void PrintTo(const Lie& lie, std::ostream* out) { *out << lie.name; }

namespace {

constexpr const char* kCommittedLies = FINEDELTA_TEST_SOURCES "/corrupt/files";

std::string replaced(std::string text, std::string_view old, std::string_view with) {
  for (size_t at = text.find(old); at != text.npos; at = text.find(old, at + with.size())) {
    text.replace(at, old.size(), with);
  }
  return text;
}

template <typename T>
std::string error_of(const Result<T>& result, const std::string& archive) {
  static const std::regex kPlace("the [0-9]+ bytes at [0-9]+");
  const std::string text = replaced(error_text(result), quote(archive), "ARCHIVE");
  return std::regex_replace(text, kPlace, "the SIZE bytes at OFFSET");
}

std::string expected(const Lie& lie, Seen operation) {
  return operation < lie.seen ? "no error" : lie.error;
}

class LiesTest : public testing::TestWithParam<Lie> {
 protected:
  void expect_refusal(const std::string& archive) const {
    const Lie& lie = GetParam();
    const std::string base = write_sample_base(dir_);
    EXPECT_EQ(error_of(inspect(archive), archive), expected(lie, Seen::kOpening));
    EXPECT_EQ(error_of(verify(archive), archive), expected(lie, Seen::kChecking));
    EXPECT_EQ(error_of(verify(archive, {base}), archive), expected(lie, Seen::kRebuilding));
    EXPECT_EQ(error_of(unpack({base}, archive, dir_.path("out")), archive),
              expected(lie, Seen::kRebuilding));
    EXPECT_FALSE(std::filesystem::exists(dir_.path("out")));
  }

  TempDir dir_;
};

TEST_P(LiesTest, IsRefused) { expect_refusal(dir_.write("lie", GetParam().archive)); }

// As it was written once: the same lie, whatever the writer of today makes of it.
TEST_P(LiesTest, IsRefusedAsCommitted) {
  const std::filesystem::path committed = std::filesystem::path(kCommittedLies) / GetParam().name;
  ASSERT_TRUE(std::filesystem::exists(committed)) << "write it with make_corrupt_files";
  expect_refusal(committed.string());
}

TEST(LossySample, IsSound) {
  const TempDir dir;
  const std::string base = write_sample_base(dir);
  const std::string archive = dir.write("archive", seal(regions_of(lossy_sample())));
  // Its model is the sample's, which no factors change.
  EXPECT_EQ(error_text(verify(archive, {base})), "no error");
  EXPECT_TRUE(inspect(archive).value_or(ArchiveSummary{}).lossy);
}

class ProgressiveSample : public testing::Test {
 protected:
  std::string write(const Parts& parts) { return dir_.write("archive", seal(regions_of(parts))); }

  // The error of unpacking so many layers.
  std::string unpack_layers(const std::string& archive, unsigned layers) {
    UnpackOptions options;
    options.sha256 = true;
    options.force = true;
    options.layers = layers;
    return error_of(unpack({base_}, archive, dir_.path("out"), options), archive);
  }

  TempDir dir_;
  std::string base_ = write_sample_base(dir_);
};

TEST_F(ProgressiveSample, IsSound) {
  const std::string archive = write(progressive_sample());
  const auto verified = verify(archive, {base_});
  EXPECT_EQ(error_text(verified), "no error");
  EXPECT_EQ(verified.value_or(VerifyReport{}).chunks, kSampleChunks + 1u);
  EXPECT_TRUE(inspect(archive).value_or(ArchiveSummary{}).progressive);
  for (const unsigned layers : {1, 2}) EXPECT_EQ(unpack_layers(archive, layers), "no error");
}

// Of the second layer the first one needs the records only.
TEST_F(ProgressiveSample, TheFirstLayerComesOutAlone) {
  Parts parts = progressive_sample();
  parts.rest[0] ^= 1;
  const std::string archive = write(parts);
  EXPECT_EQ(unpack_layers(archive, 1), "no error");
  EXPECT_EQ(unpack_layers(archive, 2), "damaged: ARCHIVE: the SIZE bytes at OFFSET are damaged");
}

// Each layer has a SHA-256 of its own.
TEST_F(ProgressiveSample, EitherSha256IsCompared) {
  constexpr const char* kOther =
      "damaged: file 'model.safetensors' does not have the SHA-256 that it was packed with";
  for (const unsigned wrong : {1, 2}) {
    Parts parts = progressive_sample();
    archive::File& model =
        *std::ranges::find(parts.index.files, "model.safetensors", &archive::File::path);
    (wrong == 1 ? model.sha256 : model.original_sha256).bytes[0] ^= std::byte{1};
    const std::string archive = write(parts);
    for (const unsigned layers : {1, 2}) {
      EXPECT_EQ(unpack_layers(archive, layers), layers == wrong ? kOther : "no error");
    }
    EXPECT_EQ(error_text(verify(archive, {base_})), kOther);
  }
}

TEST(LiesFilesTest, EveryCommittedFileIsOneOfThem) {
  std::set<std::string> names;
  for (const Lie& lie : all_lies()) EXPECT_TRUE(names.insert(lie.name).second) << lie.name;
  for (const auto& entry : std::filesystem::directory_iterator(kCommittedLies)) {
    EXPECT_TRUE(names.contains(entry.path().filename().string())) << entry.path();
    EXPECT_LT(entry.file_size(), 2048u) << entry.path();
  }
}

INSTANTIATE_TEST_SUITE_P(Corrupt, LiesTest, testing::ValuesIn(all_lies()),
                         [](const auto& test) { return test.param.name; });

}  // namespace

}  // namespace finedelta::corrupt
