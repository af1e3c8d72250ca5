#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "base/adaptive_values.h"
#include "predict/low_rank/factors.h"
#include "support/error_text.h"
#include "unit/low_rank_matrices.h"

namespace finedelta {
namespace {

// Values of about that spread, which differs from column to column and in every fifth row.
Factors random_factors(uint64_t rows, uint64_t columns, size_t rank, float spread) {
  Factors factors = {.rows = rows, .columns = columns, .scale = 0x1.8p-30f};
  for (size_t k = 0; k < rank; ++k) {
    factors.shifts.push_back(static_cast<uint8_t>(k * 14 / rank));
    const auto fill = [&](std::vector<int16_t>& values, uint64_t length, float limit) {
      const auto numbers = normal(length, spread / static_cast<float>(k + 1), k + rank);
      for (uint64_t i = 0; i < length; ++i) {
        const float value = numbers[i] * (i % 5 == 4 ? 20.0f : 1.0f);
        values.push_back(static_cast<int16_t>(std::lround(std::clamp(value, -limit, limit))));
      }
    };
    const auto limit = static_cast<float>(32767 >> factors.shifts[k]);
    fill(factors.left, rows, std::min(limit, 30000 / static_cast<float>(rank)));
    fill(factors.right, columns, 30000 / static_cast<float>(rank));
  }
  return factors;
}

std::vector<std::byte> record_of(const Factors& factors) {
  return encode_factors(factors, FactorCode::kAdaptive);
}

void expect_round_trip(const Factors& factors) {
  ASSERT_EQ(error_text(check_factors(factors)), "no error");
  const auto record = record_of(factors);
  EXPECT_EQ(factor_code(record), FactorCode::kAdaptive);
  const auto decoded = decode_factors(record);
  ASSERT_EQ(error_text(decoded), "no error");
  EXPECT_EQ(decoded->rows, factors.rows);
  EXPECT_EQ(decoded->columns, factors.columns);
  EXPECT_EQ(decoded->scale, factors.scale);
  EXPECT_EQ(decoded->shifts, factors.shifts);
  EXPECT_EQ(decoded->left, factors.left);
  EXPECT_EQ(decoded->right, factors.right);
}

TEST(AdaptiveFactors, RoundTrip) {
  for (const float spread : {0.0f, 0.1f, 0.4f, 1.0f, 3.0f, 50.0f, 3000.0f}) {
    for (const size_t rank : {1, 2, 7, 64, 256}) {
      for (const auto& [rows, columns] : {std::pair{1u, 1u}, {3u, 200u}, {97u, 2u}, {64u, 64u}}) {
        SCOPED_TRACE(testing::Message() << spread << ", " << rank << ", " << rows);
        expect_round_trip(random_factors(rows, columns, rank, spread));
      }
    }
  }
}

TEST(AdaptiveFactors, TheLargestValuesRoundTrip) {
  Factors factors = {.rows = 40, .columns = 60, .scale = 1, .shifts = {0}};
  factors.left.assign(40, 32767);
  factors.left[20] = -32767;
  factors.right.assign(60, -32767);
  expect_round_trip(factors);
  // One where none was expected, and none where all were large.
  factors.left.assign(40, 0);
  factors.left.back() = 32767;
  factors.right.back() = 0;
  expect_round_trip(factors);
}

TEST(AdaptiveFactors, EveryMagnitudeRoundTrips) {
  Factors factors = {.rows = 32767, .columns = 32768, .scale = 1, .shifts = {0}};
  for (int value = 0; value < 32767; ++value) {
    factors.left.push_back(static_cast<int16_t>(value % 2 == 0 ? value : -value));
    factors.right.push_back(static_cast<int16_t>(value % 3 == 0 ? value : 0));
  }
  factors.right.push_back(32767);
  expect_round_trip(factors);
}

// Whose zeros at the end must not be fewer bytes than a reader believes in.
TEST(AdaptiveFactors, ManyZerosRoundTrip) {
  for (const uint64_t columns : {100u, 10'000u, 1'000'000u}) {
    Factors factors = {.rows = 2, .columns = columns, .scale = 1, .shifts = {0}};
    factors.left = {1, 0};
    factors.right.assign(columns, 0);
    expect_round_trip(factors);
    factors.right[0] = 1;
    expect_round_trip(factors);
  }
}

// Of normal values in steps of `step` standard deviations.
double entropy(double step) {
  double bits = 0;
  for (int value = -60; value <= 60; ++value) {
    const auto below = [&](double edge) { return std::erfc(-edge * step / std::sqrt(2)) / 2; };
    const double share = below(value + 0.5) - below(value - 0.5);
    if (share > 0) bits -= share * std::log2(share);
  }
  return bits;
}

TEST(AdaptiveFactors, TakeAboutTheirEntropy) {
  constexpr uint64_t kLength = 3000;
  constexpr size_t kRank = 8;
  for (const double step : {0.5, 1.0, 3.0}) {
    Factors factors = {.rows = kLength, .columns = kLength, .scale = 1, .shifts = {}};
    factors.shifts.assign(kRank, 0);
    for (auto* values : {&factors.left, &factors.right}) {
      const uint64_t seed = values == &factors.left ? 1 : 2;
      for (const float value : normal(kRank * kLength, static_cast<float>(1 / step), seed)) {
        values->push_back(static_cast<int16_t>(std::lround(value)));
      }
    }
    const double bits = 8 * static_cast<double>(record_of(factors).size());
    const double wanted = entropy(step) * 2 * kRank * kLength;
    EXPECT_LT(bits, 1.06 * wanted) << step;
    EXPECT_GT(bits, 0.97 * wanted) << step;
  }
}

void expect_refused_or_sound(const std::vector<std::byte>& record, size_t& refused) {
  const auto decoded = decode_factors(record);
  if (!decoded) {
    ++refused;
    EXPECT_EQ(decoded.error().code, ErrorCode::kDamaged);
    return;
  }
  EXPECT_EQ(error_text(check_factors(*decoded)), "no error");
  if (factor_code(record) == FactorCode::kAdaptive) expect_round_trip(*decoded);
}

// Zeros are read behind the end, so that the last bytes may be missing without being missed; the
// hash of the record is what notices.
TEST(AdaptiveFactors, TruncationsAreRefusedOrDecodeToFactors) {
  for (const float spread : {0.3f, 40.0f}) {
    const auto record = record_of(random_factors(20, 30, 5, spread));
    size_t refused = 0;
    for (size_t size = 0; size < record.size(); ++size) {
      expect_refused_or_sound({record.begin(), record.begin() + static_cast<ptrdiff_t>(size)},
                              refused);
    }
    EXPECT_GT(refused, 8u);
  }
}

TEST(AdaptiveFactors, FlippedBitsAreRefusedOrDecodeToFactors) {
  for (const float spread : {0.3f, 40.0f}) {
    const auto record = record_of(random_factors(9, 7, 4, spread));
    size_t refused = 0;
    for (size_t bit = 0; bit < 8 * record.size(); ++bit) {
      auto damaged = record;
      damaged[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
      expect_refused_or_sound(damaged, refused);
    }
    EXPECT_GT(refused, record.size());
  }
}

TEST(AdaptiveFactors, RandomBytesAreRefusedOrDecodeToFactors) {
  std::mt19937_64 engine(1);
  size_t refused = 0;
  for (int i = 0; i < 2000; ++i) {
    ByteWriter out;
    out.u8(0);
    out.varint(1 + engine() % 20);
    out.varint(1 + engine() % 20);
    out.varint(1 + engine() % 5);
    out.u32(127u << 23);
    for (uint64_t size = engine() % 30; size > 0; --size) {
      out.u8(static_cast<uint8_t>(engine() >> (engine() % 56)));
    }
    expect_refused_or_sound({out.view().begin(), out.view().end()}, refused);
  }
  EXPECT_GT(refused, 100u);
}

TEST(AdaptiveFactors, BytesBehindTheEndAreRefused) {
  const auto with = [](const std::vector<uint8_t>& behind) {
    auto record = record_of(random_factors(9, 7, 4, 2));
    for (const uint8_t byte : behind) record.push_back(static_cast<std::byte>(byte));
    return error_text(decode_factors(record));
  };
  EXPECT_EQ(with({}), "no error");
  EXPECT_THAT(with({0}), testing::HasSubstr("behind the end"));
  EXPECT_THAT(with({0, 0, 0, 0, 1}), testing::HasSubstr("behind the end"));
}

TEST(AdaptiveFactors, AShortRecordCannotAskForMuchMemory) {
  const auto refused = [](uint64_t rows, uint64_t rank, size_t bytes) {
    ByteWriter out;
    out.u8(0);
    out.varint(rows);
    out.varint(1);
    out.varint(rank);
    out.u32(127u << 23);
    out.bytes(std::vector<std::byte>(bytes, std::byte{1}));
    return error_text(decode_factors(out.view(), 1u << 20));
  };
  for (const uint64_t rows : {uint64_t{1} << 30, uint64_t{1} << 40, ~uint64_t{0}}) {
    EXPECT_THAT(refused(rows, 1, 1000), testing::HasSubstr("cut short"));
    EXPECT_THAT(refused(rows, 256, 1000), testing::HasSubstr("cut short"));
  }
  EXPECT_THAT(refused(kMostAdaptiveValues, 1, 1), testing::HasSubstr("cut short"));
  EXPECT_THAT(refused(kMostAdaptiveValues - 1, 1, 1), testing::Not(testing::HasSubstr("cut")));
  EXPECT_THAT(refused(1u << 20, 1, 1000), testing::HasSubstr("too many for the memory limit"));
}

}  // namespace
}  // namespace finedelta
