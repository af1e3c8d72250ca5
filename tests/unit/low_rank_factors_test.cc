#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <vector>

#include "predict/low_rank/factors.h"
#include "predict/low_rank/predictor.h"
#include "support/error_text.h"

namespace finedelta {
namespace {

// Sizes of values that differ from column to column, as those of real factors do.
Factors any_factors(uint64_t rows, uint64_t columns, size_t rank, uint64_t seed) {
  std::mt19937_64 engine(seed);
  Factors factors = {.rows = rows, .columns = columns, .scale = 0x1.8p-30f};
  const auto fill = [&](std::vector<int16_t>& values, uint64_t length) {
    const int largest = 1 << engine() % 8;
    for (uint64_t i = 0; i < length; ++i) {
      const int wanted = static_cast<int>(engine() % (2 * largest + 1)) - largest;
      values.push_back(static_cast<int16_t>(wanted));
    }
  };
  for (size_t k = 0; k < rank; ++k) {
    factors.shifts.push_back(static_cast<uint8_t>(k % 8));
    fill(factors.left, rows);
    fill(factors.right, columns);
  }
  return factors;
}

// The example of src/predict/low_rank/spec.md.
Factors example() {
  return {.rows = 3,
          .columns = 2,
          .scale = 0x1p-10f,
          .shifts = {0, 2},
          .left = {5, -7, 0, 1, 0, -1},
          .right = {6, -4, -1, 2}};
}

void expect_equal(const Factors& a, const Factors& b) {
  EXPECT_EQ(a.rows, b.rows);
  EXPECT_EQ(a.columns, b.columns);
  EXPECT_EQ(a.scale, b.scale);
  EXPECT_EQ(a.shifts, b.shifts);
  EXPECT_EQ(a.left, b.left);
  EXPECT_EQ(a.right, b.right);
}

TEST(LowRankFactors, TheRecordOfTheSpecification) {
  std::vector<std::byte> expected;
  for (const int byte : {0x03, 0x02, 0x02, 0x00, 0x00, 0x80, 0x3A, 0x00, 0x02, 0x02, 0x14, 0x0B,
                         0x00, 0x2C, 0x03, 0xF2, 0x01, 0x01, 0x13}) {
    expected.push_back(static_cast<std::byte>(byte));
  }
  EXPECT_EQ(encode_factors(example()), expected);
  const auto decoded = decode_factors(expected);
  ASSERT_TRUE(decoded.has_value());
  expect_equal(*decoded, example());
}

TEST(LowRankFactors, RoundTrips) {
  for (const size_t rank : {1, 2, 7, 64, 256}) {
    for (const auto& [rows, columns] : {std::pair{1, 1}, {3, 200}, {97, 2}, {64, 64}}) {
      const Factors factors =
          any_factors(static_cast<uint64_t>(rows), static_cast<uint64_t>(columns), rank, rank);
      ASSERT_TRUE(check_factors(factors).has_value());
      const auto decoded = decode_factors(encode_factors(factors));
      ASSERT_TRUE(decoded.has_value()) << decoded.error().message;
      expect_equal(*decoded, factors);
    }
  }
}

TEST(LowRankFactors, TheLargestValuesRoundTrip) {
  Factors factors = {.rows = 2, .columns = 2, .scale = 1, .shifts = {0}};
  factors.left = {32767, -32767};
  factors.right = {-32767, 0};
  const auto decoded = decode_factors(encode_factors(factors));
  ASSERT_TRUE(decoded.has_value()) << decoded.error().message;
  expect_equal(*decoded, factors);
}

TEST(LowRankFactors, NumbersOutOfBoundsAreRefused) {
  const auto refused = [](auto change) {
    Factors factors = example();
    change(factors);
    return !check_factors(factors).has_value() && !LowRankPredictor::make(factors).has_value();
  };
  EXPECT_FALSE(refused([](Factors&) {}));
  EXPECT_TRUE(refused([](Factors& f) { f.rows = 0; }));
  EXPECT_TRUE(refused([](Factors& f) { f.rows = 4; }));
  EXPECT_TRUE(refused([](Factors& f) { f.columns = uint64_t{1} << 63; }));
  EXPECT_TRUE(refused([](Factors& f) { f.right.push_back(0); }));
  EXPECT_TRUE(refused([](Factors& f) { f = {.rows = 3, .columns = 2, .scale = 1}; }));
  EXPECT_TRUE(refused([](Factors& f) { f.scale = 0; }));
  EXPECT_TRUE(refused([](Factors& f) { f.scale = -1; }));
  EXPECT_TRUE(refused([](Factors& f) { f.scale = 0x1.FFFFFEp-101f; }));
  EXPECT_FALSE(refused([](Factors& f) { f.scale = 0x1p-100f; }));
  EXPECT_FALSE(refused([](Factors& f) { f.scale = 0x1.FFFFFEp63f; }));
  EXPECT_TRUE(refused([](Factors& f) { f.scale = 0x1p64f; }));
  EXPECT_TRUE(refused([](Factors& f) { f.scale = std::numeric_limits<float>::quiet_NaN(); }));
  EXPECT_TRUE(refused([](Factors& f) { f.shifts[1] = 15; }));
  EXPECT_FALSE(refused([](Factors& f) { f.shifts[1] = 14; }));
  EXPECT_TRUE(refused([](Factors& f) { f.right[0] = -32768; }));
  EXPECT_TRUE(refused([](Factors& f) { f.left[3] = 8192; }));  // shifted by 2
  EXPECT_FALSE(refused([](Factors& f) { f.left[3] = 8191; }));
  // 2 * 32767^2 is within the bound on sums; a little more is not.
  EXPECT_FALSE(refused([](Factors& f) {
    f.shifts = {0, 0};
    f.left = {32767, 0, 0, 0, 0, 32767};
    f.right = {0, 32767, 32767, 0};
  }));
  EXPECT_TRUE(refused([](Factors& f) {
    f.shifts = {0, 0, 0};
    f.left = {32767, 0, 0, 0, 0, 32767, 0, 5, 0};
    f.right = {0, 32767, 32767, 0, 32767, 0};
  }));
}

TEST(LowRankFactors, EveryTruncationIsRefused) {
  const auto record = encode_factors(any_factors(20, 30, 5, 1));
  for (size_t size = 0; size < record.size(); ++size) {
    const auto decoded = decode_factors(Bytes(record).first(size));
    ASSERT_FALSE(decoded.has_value()) << size;
    EXPECT_EQ(decoded.error().code, ErrorCode::kDamaged);
  }
}

TEST(LowRankFactors, BytesBehindTheEndAreRefused) {
  auto record = encode_factors(example());
  record.push_back(std::byte{0});
  EXPECT_THAT(error_text(decode_factors(record)), testing::HasSubstr("behind the end"));
}

// Whatever is accepted is within the bounds, and nothing else could have been meant.
TEST(LowRankFactors, FlippedBitsAreRefusedOrDecodeToFactors) {
  const auto record = encode_factors(any_factors(9, 7, 4, 2));
  size_t refused = 0;
  for (size_t bit = 0; bit < 8 * record.size(); ++bit) {
    auto damaged = record;
    damaged[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
    const auto decoded = decode_factors(damaged);
    if (!decoded) {
      ++refused;
      EXPECT_EQ(decoded.error().code, ErrorCode::kDamaged);
      continue;
    }
    EXPECT_TRUE(check_factors(*decoded).has_value());
    const auto again = decode_factors(encode_factors(*decoded));
    ASSERT_TRUE(again.has_value());
    expect_equal(*again, *decoded);
  }
  EXPECT_GT(refused, record.size());
}

TEST(LowRankFactors, AShortRecordCannotAskForMuchMemory) {
  for (const uint64_t rows : {uint64_t{1} << 20, uint64_t{1} << 40, ~uint64_t{0}}) {
    for (const uint64_t columns : {uint64_t{1}, ~uint64_t{0}}) {
      ByteWriter out;
      out.varint(rows);
      out.varint(columns);
      out.varint(1);
      out.u32(127u << 23);
      out.bytes(std::vector<std::byte>(1000));
      EXPECT_FALSE(decode_factors(out.view()).has_value());
    }
  }
}

TEST(LowRankFactors, AMemoryLimitIsKept) {
  const std::vector<std::byte> record = encode_factors(any_factors(30, 20, 4, 1));
  const std::vector<uint64_t> shape = {30, 4, 5};
  constexpr uint64_t kNeeded = kBytesOfLowRankValue * 4 * (30 + 20);
  EXPECT_TRUE(read_low_rank(record, shape, kNeeded).has_value());
  const auto refused = read_low_rank(record, shape, kNeeded - 1);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kFailure);
  EXPECT_EQ(refused.error().message,
            "low-rank factors: too many for the memory limit; raise it with --memory");
}

TEST(LowRankFactors, AreOfTheTensorsShape) {
  const std::vector<std::byte> record = encode_factors(any_factors(30, 20, 4, 1));
  constexpr uint64_t kEnough = 1 << 20;
  for (const std::vector<uint64_t>& shape :
       std::vector<std::vector<uint64_t>>{{30, 20}, {31, 20}, {99, 2, 10}}) {
    EXPECT_TRUE(read_low_rank(record, shape, kEnough).has_value());
  }
  for (const std::vector<uint64_t>& shape :
       std::vector<std::vector<uint64_t>>{{29, 20}, {30, 19}, {30, 21}, {20, 30}, {600, 1}}) {
    const auto refused = read_low_rank(record, shape, kEnough);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, ErrorCode::kDamaged);
  }
}

TEST(LowRankFactors, ThePredictionIsWhatTheSpecificationSays) {
  const Factors factors = example();
  const auto predictor = LowRankPredictor::make(factors);
  ASSERT_TRUE(predictor.has_value());
  EXPECT_EQ(predictor->elements(), 6u);
  const std::vector<float> base = {1, 2, 3, 4, 5, 6};
  std::vector<float> prediction(6);
  predictor->predict(DType::kF32, 0, std::as_bytes(std::span(base)),
                     std::as_writable_bytes(std::span(prediction)));
  const std::vector<float> sums = {5 * 6 + 4 * -1, 5 * -4 + 4 * 2, -7 * 6,
                                   -7 * -4,        -4 * -1,        -4 * 2};
  for (size_t i = 0; i < 6; ++i) EXPECT_EQ(prediction[i], base[i] + sums[i] / 1024) << i;
  std::vector<float> part(3);
  predictor->predict(DType::kF32, 3, std::as_bytes(std::span(base).subspan(3)),
                     std::as_writable_bytes(std::span(part)));
  EXPECT_EQ(part, std::vector<float>(prediction.begin() + 3, prediction.end()));
}

}  // namespace
}  // namespace finedelta
