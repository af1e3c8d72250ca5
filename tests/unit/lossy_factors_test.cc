#include "lossy/lossy_factors.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "unit/low_rank_matrices.h"

namespace finedelta {
namespace {

constexpr uint64_t kRows = 120;
constexpr uint64_t kColumns = 80;

SingularDirections directions_of(Matrices& matrices) {
  auto directions = fit_low_rank(matrices.pair(), {.rank = 16, .passes = 4});
  EXPECT_TRUE(directions.has_value());
  return std::move(directions).value();
}

float value_at(const std::vector<std::byte>& bytes, size_t i) {
  return load<float>(bytes.data() + i * sizeof(float));
}

// Mean square of (fine - base - product).
double error_of(const Matrices& matrices, const Factors& factors) {
  double sum = 0;
  for (size_t i = 0; i < kRows; ++i) {
    for (size_t j = 0; j < kColumns; ++j) {
      const size_t at = i * kColumns + j;
      double product = 0;
      for (size_t k = 0; k < factors.rank(); ++k) {
        product += std::ldexp(1.0, factors.shifts[k]) * factors.left[k * kRows + i] *
                   factors.right[k * kColumns + j];
      }
      const double error = double{value_at(matrices.fine, at)} - value_at(matrices.base, at) -
                           factors.scale * product;
      sum += error * error;
    }
  }
  return sum / (kRows * kColumns);
}

size_t bytes_of(const std::optional<Factors>& factors) {
  return factors ? encode_factors(*factors, FactorCode::kAdaptive).size() : 0;
}

// Every value of the factors of a direction adds `distortion` to the error of the whole matrix.
double allowed(const Factors& factors, double distortion) {
  return distortion * static_cast<double>(factors.rank() * (kRows + kColumns)) /
         static_cast<double>(kRows * kColumns);
}

TEST(LossyFactors, AnExactLowRankComesBackWithinTheDistortion) {
  Matrices matrices = with_low_rank(kRows, kColumns, 4, 0.01f, DType::kF32);
  const SingularDirections directions = directions_of(matrices);
  for (const double distortion : {1e-6, 1e-5, 1e-4}) {
    const auto factors = lossy_factors(kRows, kColumns, directions, distortion, kNoGain);
    ASSERT_TRUE(factors.has_value());
    EXPECT_TRUE(check_factors(*factors).has_value());
    EXPECT_EQ(factors->rank(), 4u);
    EXPECT_LT(error_of(matrices, *factors), 1.5 * allowed(*factors, distortion)) << distortion;
    EXPECT_GT(error_of(matrices, *factors), 0.5 * allowed(*factors, distortion)) << distortion;
  }
}

// So that the adaptive code can say them.
TEST(LossyFactors, ShiftsDoNotFall) {
  Matrices matrices = with_low_rank(kRows, kColumns, 12, 0.01f, DType::kF32);
  const auto factors = lossy_factors(kRows, kColumns, directions_of(matrices), 1e-7, kNoGain);
  ASSERT_TRUE(factors.has_value());
  EXPECT_TRUE(std::ranges::is_sorted(factors->shifts));
  EXPECT_GT(factors->shifts.back(), factors->shifts.front());
}

TEST(LossyFactors, MoreDistortionTakesFewerBytes) {
  Matrices matrices = with_low_rank(kRows, kColumns, 12, 0.01f, DType::kF32);
  const SingularDirections directions = directions_of(matrices);
  size_t before = kRows * kColumns * sizeof(float);
  for (int power = -26; power < 0; ++power) {
    const double distortion = std::ldexp(1, power);
    const size_t bytes = bytes_of(lossy_factors(kRows, kColumns, directions, distortion, kNoGain));
    EXPECT_TRUE(bytes < before || (bytes == 0 && before == 0)) << distortion;
    before = bytes;
  }
  EXPECT_EQ(before, 0u);
}

TEST(LossyFactors, NoneFromTheLargestDistortionOn) {
  Matrices matrices = with_low_rank(kRows, kColumns, 12, 0.01f, DType::kF32);
  const SingularDirections directions = directions_of(matrices);
  const double largest = largest_distortion(kRows, kColumns, directions);
  EXPECT_GT(largest, 0);
  EXPECT_FALSE(lossy_factors(kRows, kColumns, directions, largest, kNoGain).has_value());
  EXPECT_FALSE(lossy_factors(kRows, kColumns, directions, 2 * largest, kNoGain).has_value());
  EXPECT_TRUE(lossy_factors(kRows, kColumns, directions, 0.2 * largest, kNoGain).has_value());
}

TEST(LossyFactors, NoneOfNoDirections) {
  EXPECT_EQ(largest_distortion(kRows, kColumns, {}), 0);
  EXPECT_FALSE(lossy_factors(kRows, kColumns, {}, 1e-9, kNoGain).has_value());
}

// What is left out is made up for: the product is larger than what it stands for.
TEST(LossyFactors, WhatIsLeftOutMakesTheRestLarger) {
  Matrices matrices = with_low_rank(kRows, kColumns, 1, 0.01f, DType::kF32);
  SingularDirections directions = directions_of(matrices);
  const auto alone = lossy_factors(kRows, kColumns, directions, 1e-6, kBehaviourGain);
  directions.energy *= 32;
  const auto part = lossy_factors(kRows, kColumns, directions, 1e-6, kBehaviourGain);
  ASSERT_TRUE(alone.has_value() && part.has_value());
  EXPECT_EQ(part->left, alone->left);
  EXPECT_NEAR(part->scale / alone->scale, std::pow(32, kBehaviourGain), 0.01);
}

TEST(LossyFactors, TheErrorIsAboutWhatIsExpected) {
  Matrices matrices = with_low_rank(kRows, kColumns, 12, 0.01f, DType::kF32);
  const SingularDirections directions = directions_of(matrices);
  const double largest = largest_distortion(kRows, kColumns, directions);
  EXPECT_NEAR(expected_error(kRows, kColumns, directions, largest), 1, 1e-9);
  const double energy = directions.energy / (kRows * kColumns);
  for (const double share : {0.3, 0.03, 0.003}) {
    const auto factors = lossy_factors(kRows, kColumns, directions, share * largest, kNoGain);
    ASSERT_TRUE(factors.has_value());
    const double error = std::sqrt(error_of(matrices, *factors) / energy);
    const double expected = expected_error(kRows, kColumns, directions, share * largest);
    EXPECT_NEAR(error / expected, 1, 0.1) << share;
  }
}

}  // namespace
}  // namespace finedelta
