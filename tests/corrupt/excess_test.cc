// Small archives that ask for much: memory, time, disk.
#include <gtest/gtest.h>

#include <ctime>
#include <filesystem>
#include <fstream>

#include "archive/index.h"
#include "archive/layout.h"
#include "base/error.h"
#include "corrupt/sample.h"
#include "finedelta/finedelta.h"
#include "support/error_text.h"

namespace finedelta::corrupt {

namespace {

using archive::FileKind;
using archive::Index;

class ExcessTest : public testing::Test {
 protected:
  std::string write(const Index& index) {
    const std::vector<std::byte> stored = archive::encode_index(index);
    return dir_.write("archive", seal_index({}, {}, as_text(stored)));
  }

  [[nodiscard]] std::string unreadable(std::string_view why) const {
    return fmt::format("{}: the archive's index can't be read: {}", quote(dir_.path("archive")),
                       why);
  }

  TempDir dir_;
};

archive::File empty_shard() {
  archive::File shard{.path = "m", .kind = FileKind::kShard};
  shard.canonical_header = true;
  return shard;
}

archive::Tensor empty_tensor(std::string name) {
  return {.name = std::move(name), .dtype = DType::kU8, .shape = {0}};
}

TEST_F(ExcessTest, ACanonicalHeaderIsMeasuredBeforeItIsBuilt) {
  Index index;
  index.files = {empty_shard()};
  // Each is written as \u0001, six times as long.
  for (const char last : {'a', 'b', 'c'}) {
    index.files[0].tensors.push_back(empty_tensor(std::string((1 << 20) - 1, '\1') + last));
  }
  const std::string archive = write(index);
  EXPECT_LT(std::filesystem::file_size(archive), 4096u);
  EXPECT_EQ(
      error_text(inspect(archive)),
      "failure: " + unreadable("the header of 'm' is too large for the memory limit; raise it "
                               "with --memory"));
  index.files[0].tensors.pop_back();
  EXPECT_EQ(error_text(inspect(write(index))), "no error");
}

TEST_F(ExcessTest, NoHeaderIsLargerThanReadersTake) {
  Index index;
  index.files = {empty_shard()};
  for (char last = 'a'; last < 'a' + 16; ++last) {
    index.files[0].tensors.push_back(empty_tensor(std::string((1 << 20) - 1, '\1') + last));
  }
  EXPECT_EQ(error_text(inspect(write(index))),
            "damaged: " + unreadable("the header of 'm' is larger than a reader takes"));
}

TEST_F(ExcessTest, RepeatedNamesCount) {
  Index index;
  index.bases.resize(1);
  index.base_tensors = {{.name = std::string(1 << 20, 'n'), .shape = {0}}};
  index.bases[0].identity = archive::base_identities(index)[0];
  index.files = {empty_shard()};
  for (int i = 0; i < 200; ++i) {
    index.files[0].tensors.push_back(empty_tensor(std::to_string(i)));
    index.files[0].tensors.back().prediction = Prediction<uint32_t>::base(0);
  }
  EXPECT_EQ(
      error_text(inspect(write(index))),
      "failure: " + unreadable("it needs more memory than allowed; raise the limit with --memory"));
}

TEST_F(ExcessTest, ManyBasesTakeNoLongerThanTheyMust) {
  constexpr uint32_t kMany = 100'000;
  Index index;
  index.bases.resize(kMany);
  index.files = {empty_shard()};
  for (uint32_t i = 0; i < kMany; ++i) {
    index.base_tensors.push_back({.base = i, .name = "n", .shape = {0}});
    index.files[0].tensors.push_back(empty_tensor(std::to_string(i)));
    index.files[0].tensors.back().prediction = Prediction<uint32_t>::base(i);
  }
  const std::vector<Hash128> identities = archive::base_identities(index);
  for (uint32_t i = 0; i < kMany; ++i) index.bases[i].identity = identities[i];
  const std::string archive = write(index);
  const std::clock_t before = std::clock();
  const auto summary = inspect(archive);
  ASSERT_EQ(error_text(summary), "no error");
  EXPECT_EQ(summary->bases.back().tensors, 1u);
  // Comparing each with each takes 10^10 steps, three times over.
  EXPECT_LT(std::clock() - before, 5 * CLOCKS_PER_SEC);
}

// An archive of one chunk of `stored` bytes that are a hole in the file, for a tensor of 2^20
// units.
std::string write_hole(const TempDir& dir, uint8_t coder, uint64_t stored) {
  ByteWriter body;
  body.u8(0);
  body.u8(archive::kLargestChunkLog2);
  for (int list = 0; list < 4; ++list) body.varint(0);
  body.varint(1);
  body.string("m");
  body.u8(0);  // shard
  body.u8(0);  // canonical
  body.string("");
  body.varint(1);
  body.string("t");
  body.u8(static_cast<uint8_t>(DType::kU8));
  body.u8(1);
  body.varint(uint64_t{1} << archive::kLargestChunkLog2);
  body.u8(0);  // predictor
  body.u8(coder);
  body.varint(stored);
  for (int word = 0; word < 1 + 2 + 4; ++word) body.u64(0);  // the hashes
  const std::string text(as_text(body.view()));
  const std::string index = index_of_frame(frame_of(text), text.size());
  const archive::Layout layout{.payload_size = stored, .index_size = index.size()};
  const std::string path = dir.write("archive", archive::encode_layout(layout));
  std::filesystem::resize_file(path, layout.index_offset());
  std::ofstream(path, std::ios::binary | std::ios::app) << index;
  return path;
}

TEST_F(ExcessTest, ChunksAreNoLargerThanTheirResult) {
  constexpr uint64_t kGiB = uint64_t{1} << 30;
  EXPECT_EQ(error_text(inspect(write_hole(dir_, 2, 3 * kGiB))),
            "damaged: " + unreadable("a chunk has a size that its coder does not allow"));
  EXPECT_EQ(error_text(inspect(write_hole(dir_, 2, 4 * kGiB + 5))),
            "damaged: " + unreadable("a chunk is too large (at byte 27 of the body)"));
  EXPECT_EQ(error_text(inspect(write_hole(dir_, 0, uint64_t{1} << 20))), "no error");
}

// An archive of one tensor of F32, the shape of which is given, without its base's bytes: factors
// of `stored` bytes that are a hole in the file, and chunks that are their prediction.
std::string write_factors(const TempDir& dir, std::vector<uint64_t> shape, uint64_t stored) {
  Index index;
  index.bases.resize(1);
  index.base_tensors = {{.name = "t", .dtype = DType::kF32, .shape = {0, shape[1]}}};
  index.bases[0].identity = archive::base_identities(index)[0];
  index.files = {empty_shard()};
  index.files[0].tensors = {{.name = "t",
                             .dtype = DType::kF32,
                             .shape = std::move(shape),
                             .prediction = Prediction<uint32_t>::low_rank(0),
                             .factors = {.size = stored}}};
  EXPECT_TRUE(archive::complete(index));
  index.chunks.resize(archive::chunk_count(index));
  for (archive::Chunk& chunk : index.chunks) chunk.coder = 1;
  const std::vector<std::byte> encoded = archive::encode_index(index);
  const archive::Layout layout{.payload_size = stored, .index_size = encoded.size()};
  const std::string path = dir.write("archive", archive::encode_layout(layout));
  std::filesystem::resize_file(path, layout.index_offset());
  std::ofstream(path, std::ios::binary | std::ios::app) << as_text(encoded);
  return path;
}

TEST_F(ExcessTest, FactorsOverTheMemoryLimitAreNotRead) {
  constexpr uint64_t kMiB = uint64_t{1} << 20;
  Options options;
  options.memory = kLeastMemory;
  EXPECT_EQ(error_text(verify(write_factors(dir_, {4 * kMiB, 16}, 8 * kMiB), {}, options)),
            fmt::format("damaged: {}: the {} bytes at 512 are damaged", quote(dir_.path("archive")),
                        8 * kMiB));
  EXPECT_EQ(error_text(verify(write_factors(dir_, {4 * kMiB, 16}, 8 * kMiB + 1), {}, options)),
            "failure: " + unreadable("the factors of 't' are too large for the memory limit; raise "
                                     "it with --memory"));
}

TEST_F(ExcessTest, AnIndexOverTheMemoryLimitIsNotRead) {
  Options options;
  options.memory = kLeastMemory;
  const std::string body(17 << 20, '\0');
  const std::string archive =
      dir_.write("archive", seal_index({}, {}, index_of_frame(frame_of(body), body.size())));
  EXPECT_EQ(error_text(verify(archive, {}, options)),
            fmt::format("failure: {}: the archive's index has {} bytes, too many for the memory "
                        "limit; raise it with --memory",
                        quote(archive), body.size()));
}

}  // namespace

}  // namespace finedelta::corrupt
