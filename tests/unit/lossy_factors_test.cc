#include "lossy/lossy_factors.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "unit/low_rank_matrices.h"

namespace finedelta {
namespace {

constexpr uint64_t kLossyRows = 120;
constexpr uint64_t kLossyColumns = 80;

SingularDirections directions_of(Matrices& matrices) {
  auto directions = fit_low_rank(matrices.pair(), {.rank = 16, .passes = 4});
  EXPECT_TRUE(directions.has_value());
  return std::move(directions).value();
}

float value_at(const std::vector<std::byte>& bytes, size_t i) {
  return load<float>(bytes.data() + i * sizeof(float));
}

double difference_at(const Matrices& matrices, size_t row, size_t column) {
  const size_t at = row * kLossyColumns + column;
  return double{value_at(matrices.fine, at)} - value_at(matrices.base, at);
}

double product_at(const Factors& factors, size_t row, size_t column) {
  double product = 0;
  for (size_t k = 0; k < factors.rank(); ++k) {
    product += std::ldexp(1.0, factors.shifts[k]) * factors.left[k * kLossyRows + row] *
               factors.right[k * kLossyColumns + column];
  }
  return factors.scale * product;
}

// Mean square of (fine - base - product).
double error_of(const Matrices& matrices, const Factors& factors) {
  double sum = 0;
  for (size_t i = 0; i < kLossyRows; ++i) {
    for (size_t j = 0; j < kLossyColumns; ++j) {
      sum += std::pow(difference_at(matrices, i, j) - product_at(factors, i, j), 2);
    }
  }
  return sum / (kLossyRows * kLossyColumns);
}

size_t bytes_of(const std::optional<LossyFactors>& made) {
  return made ? encode_factors(made->factors, FactorCode::kAdaptive).size() : 0;
}

// Every value of the factors of a direction adds `distortion` to the error of the whole matrix.
double allowed(const Factors& factors, double distortion) {
  return distortion * static_cast<double>(factors.rank() * (kLossyRows + kLossyColumns)) /
         static_cast<double>(kLossyRows * kLossyColumns);
}

TEST(LossyFactors, AnExactLowRankComesBackWithinTheDistortion) {
  Matrices matrices = with_low_rank(kLossyRows, kLossyColumns, 4, 0.01f, DType::kF32);
  const SingularDirections directions = directions_of(matrices);
  for (const double distortion : {1e-6, 1e-5, 1e-4}) {
    const auto made = lossy_factors(kLossyRows, kLossyColumns, directions, distortion);
    ASSERT_TRUE(made.has_value());
    const Factors& factors = made->factors;
    EXPECT_TRUE(check_factors(factors).has_value());
    EXPECT_EQ(factors.rank(), 4u);
    EXPECT_LT(error_of(matrices, factors), 1.5 * allowed(factors, distortion)) << distortion;
    EXPECT_GT(error_of(matrices, factors), 0.5 * allowed(factors, distortion)) << distortion;
  }
}

// So that the adaptive code can say them.
TEST(LossyFactors, ShiftsDoNotFall) {
  Matrices matrices = with_low_rank(kLossyRows, kLossyColumns, 12, 0.01f, DType::kF32);
  const auto made = lossy_factors(kLossyRows, kLossyColumns, directions_of(matrices), 1e-7);
  ASSERT_TRUE(made.has_value());
  const Factors& factors = made->factors;
  EXPECT_TRUE(std::ranges::is_sorted(factors.shifts));
  EXPECT_GT(factors.shifts.back(), factors.shifts.front());
}

TEST(LossyFactors, MoreDistortionTakesFewerBytes) {
  Matrices matrices = with_low_rank(kLossyRows, kLossyColumns, 12, 0.01f, DType::kF32);
  const SingularDirections directions = directions_of(matrices);
  size_t before = kLossyRows * kLossyColumns * sizeof(float);
  for (int power = -26; power < 0; ++power) {
    const double distortion = std::ldexp(1, power);
    const size_t bytes = bytes_of(lossy_factors(kLossyRows, kLossyColumns, directions, distortion));
    EXPECT_TRUE(bytes < before || (bytes == 0 && before == 0)) << distortion;
    before = bytes;
  }
  EXPECT_EQ(before, 0u);
}

TEST(LossyFactors, NoneFromTheLargestDistortionOn) {
  Matrices matrices = with_low_rank(kLossyRows, kLossyColumns, 12, 0.01f, DType::kF32);
  const SingularDirections directions = directions_of(matrices);
  const double largest = largest_distortion(kLossyRows, kLossyColumns, directions);
  EXPECT_GT(largest, 0);
  EXPECT_FALSE(lossy_factors(kLossyRows, kLossyColumns, directions, largest).has_value());
  EXPECT_FALSE(lossy_factors(kLossyRows, kLossyColumns, directions, 2 * largest).has_value());
  EXPECT_TRUE(lossy_factors(kLossyRows, kLossyColumns, directions, 0.2 * largest).has_value());
}

TEST(LossyFactors, NoneOfNoDirections) {
  EXPECT_EQ(largest_distortion(kLossyRows, kLossyColumns, {}), 0);
  EXPECT_FALSE(lossy_factors(kLossyRows, kLossyColumns, {}, 1e-9).has_value());
}

// What they make has that inner product with the difference.
TEST(LossyFactors, KnowWhatTheyCapture) {
  Matrices matrices = with_low_rank(kLossyRows, kLossyColumns, 12, 0.01f, DType::kF32);
  const SingularDirections directions = directions_of(matrices);
  const double largest = largest_distortion(kLossyRows, kLossyColumns, directions);
  for (const double share : {0.3, 0.03, 0.003}) {
    const auto made = lossy_factors(kLossyRows, kLossyColumns, directions, share * largest);
    ASSERT_TRUE(made.has_value());
    double captured = 0;
    for (size_t i = 0; i < kLossyRows; ++i) {
      for (size_t j = 0; j < kLossyColumns; ++j) {
        captured += difference_at(matrices, i, j) * product_at(made->factors, i, j);
      }
    }
    EXPECT_NEAR(made->captured / captured, 1, 1e-3) << share;
  }
}

TEST(LossyFactors, TheEnergyLeftIsAboutWhatIsExpected) {
  Matrices matrices = with_low_rank(kLossyRows, kLossyColumns, 12, 0.01f, DType::kF32);
  const SingularDirections directions = directions_of(matrices);
  const double largest = largest_distortion(kLossyRows, kLossyColumns, directions);
  EXPECT_EQ(energy_left(kLossyRows, kLossyColumns, directions, largest), directions.energy);
  for (const double share : {0.3, 0.03, 0.003}) {
    const auto made = lossy_factors(kLossyRows, kLossyColumns, directions, share * largest);
    ASSERT_TRUE(made.has_value());
    const double left = error_of(matrices, made->factors) * kLossyRows * kLossyColumns;
    EXPECT_NEAR(left / energy_left(kLossyRows, kLossyColumns, directions, share * largest), 1, 0.2)
        << share;
  }
}

}  // namespace
}  // namespace finedelta
