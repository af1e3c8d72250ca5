// Adapters of low rank that were merged into a base: their factors are found, and every byte comes
// back.

#include <fstream>

#include "archive/layout.h"
#include "base/error.h"
#include "kernels/target.h"
#include "roundtrip/adapters.h"
#include "roundtrip/roundtrip.h"
#include "support/float_types.h"

namespace finedelta {
namespace {

using testing::ElementsAre;

class RoundtripLowRank : public Roundtrip {
 protected:
  ArchiveSummary roundtrip_one(const TestTensor& base, const TestTensor& tensor) {
    return roundtrip({write_shard("base.safetensors", {base})},
                     write_shard("tuned.safetensors", {tensor}));
  }

  // The predictor is found and saves most of what there is.
  void expect_low_rank(const TestTensor& base, const TestTensor& tensor) {
    const auto summary = roundtrip_one(base, tensor);
    EXPECT_THAT(predictors(summary), ElementsAre("low rank"));
    EXPECT_LT(summary.payload_bytes, summary.weight_bytes / 2);
  }

  const TestTensor base_ = make_tensor("w", DType::kF32, {256, 192}, 1);
};

TEST_F(RoundtripLowRank, AtEveryLevel) {
  for (const int level : {1, 3, 9}) {
    options_.level = level;
    for (const DType dtype : kCastableTypes) {
      SCOPED_TRACE(std::string(dtype_name(dtype)) + " at level " + std::to_string(level));
      const TestTensor base = multiple(1, base_, dtype);
      expect_low_rank(base, with_adapter(base, 4, dtype));
    }
  }
}

TEST_F(RoundtripLowRank, OtherTypes) {
  const TestTensor bf16 = multiple(1, base_, DType::kBF16);
  const TestTensor f16 = multiple(1, base_, DType::kF16);
  expect_low_rank(bf16, with_adapter(bf16, 4, DType::kF32));
  expect_low_rank(base_, with_adapter(base_, 4, DType::kBF16));
  expect_low_rank(f16, with_adapter(f16, 4, DType::kBF16));
  EXPECT_EQ(roundtrip_one(bf16, with_adapter(bf16, 4, DType::kF16)).tensors[0].match, "cast");
}

TEST_F(RoundtripLowRank, AConvolution) {
  const TestTensor base = make_tensor("conv", DType::kF16, {96, 32, 3, 3}, 1);
  expect_low_rank(base, with_adapter(base, 4, DType::kF16));
}

TEST_F(RoundtripLowRank, OtherRows) {
  for (const DType dtype : kCastableTypes) {
    SCOPED_TRACE(dtype_name(dtype));
    const TestTensor base = multiple(1, base_, dtype);
    const TestTensor merged = with_adapter(base, 4, dtype);
    expect_low_rank(first_rows(base, 240), merged);
    expect_low_rank(base, first_rows(merged, 240));
  }
}

// Beside a merge, as a base that was scaled has them.
TEST_F(RoundtripLowRank, SpecialNumbersAreKept) {
  for (const DType from : kCastableTypes) {
    for (const DType to : kCastableTypes) {
      SCOPED_TRACE(std::string(dtype_name(from)) + " to " + std::string(dtype_name(to)));
      const TestTensor base = with_specials(multiple(1, base_, from), 5);
      const TestTensor merged = with_adapter(base, 4, to);
      EXPECT_THAT(predictors(roundtrip_one(base, merged)), ElementsAre("low rank"));
      EXPECT_THAT(predictors(roundtrip_one(base, with_specials(merged, 11))),
                  ElementsAre("low rank"));
    }
  }
}

TEST_F(RoundtripLowRank, EveryMatrixFromLevelSixOn) {
  const TestTensor base = make_tensor("w", DType::kBF16, {1024, 512}, 1);
  // A third of what was learnt is of low rank.
  TestTensor trained = base;
  for (const size_t rank : {100, 120, 8}) trained = with_adapter(trained, rank, DType::kBF16);
  options_.level = 5;
  const auto plain = roundtrip_one(base, trained);
  EXPECT_THAT(predictors(plain), ElementsAre("base"));
  options_.level = 6;
  const auto smaller = roundtrip_one(base, trained);
  EXPECT_THAT(predictors(smaller), ElementsAre("low rank"));
  EXPECT_LT(smaller.payload_bytes, plain.payload_bytes);
  EXPECT_THAT(predictors(roundtrip_one(base, tuned(base))), ElementsAre("base"));
}

// Levels 6 and 7 try only ranks up to 8 and 16 for other matrices.
TEST_F(RoundtripLowRank, AnAdapterMayHaveAHigherRankThanTheLevelTries) {
  const TestTensor base = make_tensor("w", DType::kBF16, {768, 512}, 1);
  const TestTensor merged = with_adapter(base, 24, DType::kBF16);
  const uint64_t plain = roundtrip_one(base, merged).payload_bytes;
  for (const int level : {6, 7, 8}) {
    options_.level = level;
    const auto summary = roundtrip_one(base, merged);
    EXPECT_THAT(predictors(summary), ElementsAre("low rank"));
    EXPECT_LT(summary.payload_bytes, plain + plain / 50) << "at level " << level;
  }
}

TEST_F(RoundtripLowRank, WithoutABaseThereIsNothingToAddTo) {
  const std::string merged =
      write_shard("tuned.safetensors", {with_adapter(base_, 4, DType::kF32)});
  EXPECT_THAT(predictors(roundtrip({}, merged)), ElementsAre("none"));
}

// One tensor of several chunks, the last of which begins in the middle of a row.
class RoundtripAdapter : public Roundtrip {
 protected:
  RoundtripAdapter() {
    const auto summary = pack_to_archive({base_}, merged_);
    EXPECT_EQ(predictors(summary), std::vector<std::string>{"low rank"});
  }

  // Changes a byte of the archive, behind its header.
  void flip(uint64_t offset) const {
    std::fstream file(archive_, std::ios::binary | std::ios::in | std::ios::out);
    const auto place = static_cast<std::streamoff>(archive::kHeaderSlot + offset);
    const auto byte = static_cast<char>(file.seekg(place).get() ^ 0x20);
    file.seekp(place).put(byte);
  }

  const TestTensor tensor_ = make_tensor("w", DType::kBF16, {3000, 200}, 1);
  const std::string base_ = write_shard("base.safetensors", {tensor_});
  const std::string merged_ =
      write_shard("merged.safetensors", {with_adapter(tensor_, 8, DType::kBF16)});
};

TEST_F(RoundtripAdapter, AWrongBaseIsNamed) {
  const std::string differs =
      "wrong base: tensor 'w' differs from the one that the archive was made from (another "
      "revision";
  TestTensor wrong = tensor_;
  wrong.bytes[0] ^= 0x10;
  expect_wrong_base({write_shard("wrong.safetensors", {wrong})}, differs + ", or damaged)");
  wrong = tensor_;
  wrong.bytes[wrong.bytes.size() / 2] ^= 0x10;
  expect_wrong_base({write_shard("wrong.safetensors", {wrong})}, differs + "?)");
}

TEST_F(RoundtripAdapter, RowsAreExtracted) {
  const std::string output = dir_.path("rows.safetensors");
  const auto report = extract({base_}, archive_, {"w[1305:1315]"}, output);
  ASSERT_EQ(error_text(report), "no error");
  const std::string whole = read_file(merged_);
  const std::string rows = read_file(output);
  EXPECT_TRUE(rows.substr(rows.size() - 4000) ==
              whole.substr(whole.size() - 400 * (3000 - 1305), 4000));
  // Two chunks, for they meet in row 1310.
  EXPECT_EQ(report->base_bytes_read, 2 * 2 * (uint64_t{1} << 18));
}

TEST_F(RoundtripAdapter, DamagedFactorsAreFound) {
  flip(7);  // they come first
  const std::string damaged = "damaged: " + quote(archive_) + ": the ";
  const std::string at = " bytes at " + std::to_string(archive::kHeaderSlot) + " are damaged";
  for (const std::string& text :
       {error_text(verify(archive_)), error_text(verify(archive_, {base_})),
        error_text(unpack({base_}, archive_, dir_.path("out")))}) {
    EXPECT_TRUE(text.starts_with(damaged) && text.ends_with(at)) << text;
  }
  EXPECT_FALSE(std::filesystem::exists(dir_.path("out")));
}

// Of one wide matrix there could be factors of 8 MiB: together they are more than one group.
class RoundtripLowRankDeterminism : public Roundtrip {
 protected:
  RoundtripLowRankDeterminism() {
    std::vector<TestTensor> base;
    std::vector<TestTensor> newer;
    for (const std::vector<uint64_t>& shape : std::vector<std::vector<uint64_t>>{
             {16, 33000}, {160, 128}, {16, 33000}, {3000}, {16, 33000}, {128, 96}}) {
      const size_t number = base.size();
      base.push_back(
          make_tensor(std::to_string(number), kCastableTypes[number % 3], shape, number));
      newer.push_back(shape.size() == 1
                          ? tuned(base.back())
                          : with_adapter(base.back(), 1 + number % 3, base.back().dtype));
    }
    (void)write_shard("base.safetensors", base);
    (void)write_shard("tuned.safetensors", newer);
  }

  std::string archive_with(unsigned threads, uint64_t memory) {
    options_.threads = threads;
    options_.memory = memory;
    EXPECT_EQ(error_text(try_pack({base_}, tuned_)), "no error");
    return read_file(archive_);
  }

  void expect_unpacks_with(unsigned threads, uint64_t memory) {
    UnpackOptions options;
    options.threads = threads;
    options.memory = memory;
    options.force = true;
    ASSERT_EQ(error_text(unpack({base_}, archive_, dir_.path("out"), options)), "no error");
    EXPECT_TRUE(read_file(dir_.path("out")) == read_file(tuned_));
  }

  const std::string base_ = dir_.path("base.safetensors");
  const std::string tuned_ = dir_.path("tuned.safetensors");
};

TEST_F(RoundtripLowRankDeterminism, AnyThreadsAndMemory) {
  const std::string expected = archive_with(1, kDefaultMemory);
  EXPECT_THAT(predictors(*inspect(archive_)),
              ElementsAre("low rank", "low rank", "low rank", "base", "low rank", "low rank"));
  for (const unsigned threads : {1, 2, 7}) {
    for (const uint64_t memory : {kLeastMemory, kDefaultMemory}) {
      SCOPED_TRACE(threads);
      EXPECT_TRUE(archive_with(threads, memory) == expected);
      expect_unpacks_with(threads, memory);
    }
  }
}

TEST_F(RoundtripLowRankDeterminism, AnyThreadsWhereEveryMatrixIsTried) {
  options_.level = 6;
  const std::string expected = archive_with(1, kDefaultMemory);
  EXPECT_TRUE(archive_with(7, kDefaultMemory) == expected);
  EXPECT_TRUE(archive_with(2, kLeastMemory) == expected);
  expect_unpacks_with(2, kLeastMemory);
}

// Factors are fitted by code that is the same for every target, so on one machine the archive is
// the same too. What comes out of it must be the same on any machine.
TEST_F(RoundtripLowRankDeterminism, AnyTarget) {
  const std::string before = active_target();
  const std::string expected = archive_with(2, kDefaultMemory);
  for (const std::string& target : supported_targets()) {
    SCOPED_TRACE(target);
    ASSERT_TRUE(force_target(target).has_value());
    EXPECT_TRUE(archive_with(2, kDefaultMemory) == expected);
    expect_unpacks_with(2, kDefaultMemory);
  }
  ASSERT_TRUE(force_target(before).has_value());
}

}  // namespace
}  // namespace finedelta
