#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "base/error.h"
#include "predict/low_rank/find.h"
#include "predict/low_rank/fit.h"
#include "predict/low_rank/predictor.h"
#include "predict/low_rank/quantise.h"
#include "predict/low_rank/refine.h"
#include "predict/low_rank/residual_bits.h"
#include "unit/low_rank_matrices.h"

namespace finedelta {
namespace {

SingularDirections fitted(Matrices& matrices, const FitOptions& options) {
  auto directions = fit_low_rank(matrices.pair(), options);
  EXPECT_TRUE(directions.has_value());
  return std::move(directions).value();
}

double dot(const float* a, const float* b, size_t count) {
  double sum = 0;
  for (size_t i = 0; i < count; ++i) sum += double{a[i]} * b[i];
  return sum;
}

void expect_orthonormal(const std::vector<float>& vectors, size_t rank) {
  const size_t length = vectors.size() / rank;
  for (size_t a = 0; a < rank; ++a) {
    for (size_t b = 0; b <= a; ++b) {
      const double product = dot(vectors.data() + a * length, vectors.data() + b * length, length);
      EXPECT_NEAR(product, a == b ? 1 : 0, 1e-4) << a << ", " << b;
    }
  }
}

// The largest error of the directions' product against fine - base.
double worst_error(const Matrices& matrices, const SingularDirections& found) {
  const auto at = [](const std::vector<std::byte>& bytes, size_t i) {
    return load<float>(bytes.data() + i * sizeof(float));
  };
  double worst = 0;
  for (uint64_t i = 0; i < matrices.rows; ++i) {
    for (uint64_t j = 0; j < matrices.columns; ++j) {
      const size_t place = i * matrices.columns + j;
      double error = at(matrices.fine, place) - at(matrices.base, place);
      for (size_t k = 0; k < found.rank(); ++k) {
        error -= double{found.values[k]} * found.left[k * matrices.rows + i] *
                 found.right[k * matrices.columns + j];
      }
      worst = std::max(worst, std::abs(error));
    }
  }
  return worst;
}

TEST(LowRankFit, FindsAMatrixOfLowRank) {
  for (const auto& [rows, columns] : {std::pair{40, 300}, {300, 40}, {64, 64}}) {
    auto matrices = with_low_rank(static_cast<uint64_t>(rows), static_cast<uint64_t>(columns), 5,
                                  0.001f, DType::kF32);
    const auto found = fitted(matrices, {.rank = 5});
    ASSERT_EQ(found.rank(), 5u);
    EXPECT_TRUE(std::ranges::is_sorted(found.values, std::greater()));
    expect_orthonormal(found.left, 5);
    expect_orthonormal(found.right, 5);
    EXPECT_LT(worst_error(matrices, found), 1e-7);
    double energy = 0;
    for (const float value : found.values) energy += double{value} * value;
    EXPECT_NEAR(found.energy / energy, 1, 1e-5);
  }
}

TEST(LowRankFit, FindsTheStrongestDirectionsOfAFullMatrix) {
  auto matrices = with_low_rank(200, 150, 3, 0.01f, DType::kF32);
  const auto noise = normal(200 * 150, 0.001f, 9);
  for (size_t i = 0; i < noise.size(); ++i) {
    auto* value = matrices.fine.data() + i * sizeof(float);
    store(value, load<float>(value) + noise[i]);
  }
  const auto found = fitted(matrices, {.rank = 16});
  ASSERT_EQ(found.rank(), 16u);
  // The noise's own largest singular value is about 0.001 * (sqrt(200) + sqrt(150)).
  EXPECT_GT(found.values[2], 0.3f);
  EXPECT_LT(found.values[3], 0.027f);
  EXPECT_GT(found.values[3], 0.022f);
}

TEST(LowRankFit, ReadsEachMatrixAsOftenAsItWasTold) {
  for (const int passes : {2, 3, 4}) {
    auto matrices = with_low_rank(1500, 900, 2, 0.001f, DType::kBF16);  // more than one block
    const auto found = fitted(matrices, {.rank = 2, .passes = passes});
    EXPECT_EQ(matrices.elements_read, 2u * static_cast<uint64_t>(passes) * 1500 * 900);
    EXPECT_EQ(found.rank(), 2u);
  }
}

TEST(LowRankFit, GivesTheSameBitsAgain) {
  auto matrices = with_low_rank(300, 200, 8, 0.001f, DType::kBF16);
  const auto once = fitted(matrices, {.rank = 12});
  const auto again = fitted(matrices, {.rank = 12});
  EXPECT_EQ(once.values, again.values);
  EXPECT_EQ(once.left, again.left);
  EXPECT_EQ(once.right, again.right);
}

TEST(LowRankFit, AMatrixThatIsTheSameHasNoDirections) {
  auto matrices = with_low_rank(50, 60, 1, 0.0f, DType::kF16);
  const auto found = fitted(matrices, {});
  EXPECT_EQ(found.rank(), 0u);
  EXPECT_EQ(found.energy, 0);
}

TEST(LowRankFit, FindsNoMoreDirectionsThanThereAre) {
  auto matrices = with_low_rank(3, 500, 3, 0.001f, DType::kF32);
  EXPECT_LE(fitted(matrices, {.rank = 32}).rank(), 3u);
  auto column = with_low_rank(500, 1, 1, 0.001f, DType::kF32);
  EXPECT_EQ(fitted(column, {.rank = 32}).rank(), 1u);
}

TEST(LowRankFit, SpecialValuesCountAsUnchanged) {
  auto matrices = with_low_rank(100, 100, 2, 0.001f, DType::kF32);
  const float infinity = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  size_t place = 5;
  for (const float value : {infinity, -infinity, nan, 3e38f, -3e38f}) {
    store(matrices.fine.data() + 4 * place, value);
    store(matrices.base.data() + 4 * (place + 700), value);
    place += 1111;
  }
  const auto found = fitted(matrices, {.rank = 4});
  EXPECT_GE(found.rank(), 2u);
  for (const auto& values : {found.values, found.left, found.right}) {
    for (const float value : values) ASSERT_TRUE(std::isfinite(value));
  }
}

TEST(LowRankFit, PassesOnAnErrorOfReading) {
  auto matrices = with_low_rank(10, 10, 1, 0.001f, DType::kF32);
  MatrixPair pair = matrices.pair();
  pair.read_base = [](uint64_t, MutableBytes) { return fail(ErrorCode::kFailure, "no disk"); };
  const auto found = fit_low_rank(pair, {});
  ASSERT_FALSE(found.has_value());
  EXPECT_EQ(found.error().message, "no disk");
  EXPECT_FALSE(quantise(pair, {}).has_value());
}

TEST(LowRankRefine, WeightsBringAnAdapterCloser) {
  auto matrices = with_low_rank(400, 300, 4, 0.001f, DType::kBF16);
  const auto exact = with_low_rank(400, 300, 4, 0.001f, DType::kF32);
  const auto plain = fitted(matrices, {.rank = 4});
  const auto refined = refine(matrices.pair(), plain, 4, 2);
  ASSERT_TRUE(refined.has_value());
  ASSERT_EQ(refined->rank(), 4u);
  expect_orthonormal(refined->left, 4);
  expect_orthonormal(refined->right, 4);
  EXPECT_LT(worst_error(exact, *refined), 0.6 * worst_error(exact, plain));
}

TEST(LowRankRefine, ADirectionThatIsNotThereVanishes) {
  auto matrices = with_low_rank(40, 30, 1, 0.001f, DType::kF16);
  auto directions = fitted(matrices, {.rank = 1});
  directions.values.push_back(directions.values[0]);
  directions.left.resize(2 * 40);
  directions.right.resize(2 * 30);  // all zero
  const auto refined = refine(matrices.pair(), directions, 2, 2);
  ASSERT_TRUE(refined.has_value());
  EXPECT_EQ(refined->rank(), 1u);
}

TEST(LowRankRefine, SpecialValuesAndZerosLeaveItFinite) {
  for (const DType dtype : {DType::kBF16, DType::kF16, DType::kF32}) {
    auto matrices = with_low_rank(60, 50, 2, 0.001f, dtype);
    const size_t unit = dtype_unit(dtype);
    std::ranges::fill(std::span(matrices.fine).first(3 * 50 * unit), std::byte{0});
    std::ranges::fill(std::span(matrices.base).first(2 * 50 * unit), std::byte{0});
    std::ranges::fill(std::span(matrices.fine).last(10 * unit), std::byte{0xFF});
    const auto directions = fitted(matrices, {.rank = 3});
    const auto refined = refine(matrices.pair(), directions, directions.rank(), 2);
    ASSERT_TRUE(refined.has_value());
    for (const auto& values : {refined->values, refined->left, refined->right}) {
      for (const float value : values) ASSERT_TRUE(std::isfinite(value));
    }
  }
}

double bits(const LowRankChoice& choice) { return choice.residual_bits + choice.factor_bits; }

// The steps that suit the shorter side would make all factors of the longer one zero.
TEST(LowRankFind, FindsFactorsOfLongMatrices) {
  for (const DType dtype : {DType::kBF16, DType::kF16, DType::kF32}) {
    for (const auto& [rows, columns] : {std::pair{16, 8000}, {8000, 16}, {40, 3000}}) {
      auto matrices = with_low_rank(static_cast<uint64_t>(rows), static_cast<uint64_t>(columns), 1,
                                    0.001f, dtype);
      const auto choice = find_factors(matrices.pair(), 4);
      ASSERT_TRUE(choice.has_value() && choice->factors.has_value()) << rows;
      EXPECT_LT(bits(*choice), 0.8 * choice->base_bits) << rows;
    }
  }
}

// With the steps that suit it, factors of the strong direction would leave their bounds.
TEST(LowRankFind, QuantisesBesideADirectionOfNoise) {
  auto matrices = with_low_rank(300, 200, 1, 0.001f, DType::kF32);
  auto directions = fitted(matrices, {.rank = 1});
  directions.values.push_back(1e-6f * directions.values[0]);
  for (auto* vectors : {&directions.left, &directions.right}) {
    const auto noise = normal(vectors->size(), 0.06f, 7);
    vectors->insert(vectors->end(), noise.begin(), noise.end());
  }
  const auto choice = quantise(matrices.pair(), directions);
  ASSERT_TRUE(choice.has_value() && choice->factors.has_value());
  EXPECT_EQ(choice->factors->rank(), 1u);
  EXPECT_LT(bits(*choice), 0.8 * choice->base_bits);
}

TEST(LowRankFind, RefinesWhatSeemsMerged) {
  auto matrices = with_low_rank(400, 600, 4, 0.001f, DType::kBF16);
  const auto plain = quantise(matrices.pair(), fitted(matrices, {}));
  matrices.elements_read = 0;
  const auto found = find_factors(matrices.pair(), 32);
  ASSERT_TRUE(found.has_value());
  ASSERT_TRUE(found->factors.has_value());
  EXPECT_EQ(found->factors->rank(), 4u);
  EXPECT_LT(found->residual_bits, 0.6 * plain->residual_bits);
  EXPECT_EQ(matrices.elements_read, 2u * (5 + 2) * 400 * 600);  // the sample is everything here
}

LowRankChoice chosen(Matrices& matrices, const FitOptions& options) {
  auto choice = quantise(matrices.pair(), fitted(matrices, options));
  EXPECT_TRUE(choice.has_value());
  return std::move(choice).value();
}

// What is left of all elements, per element.
double residual_of(const Matrices& matrices, const Factors& factors) {
  std::vector<std::byte> prediction(matrices.base.size());
  const auto predictor = LowRankPredictor::make(factors);
  if (!predictor) return HUGE_VAL;
  predictor->predict(matrices.dtype, 0, matrices.base, prediction);
  const uint64_t elements = matrices.rows * matrices.columns;
  return residual_bits(matrices.dtype, matrices.fine, prediction, elements) /
         static_cast<double>(elements);
}

TEST(LowRankQuantise, AMergedAdapterLeavesLittle) {
  for (const DType dtype : {DType::kBF16, DType::kF16, DType::kF32}) {
    auto matrices = with_low_rank(400, 600, 4, 0.001f, dtype);
    const auto choice = chosen(matrices, {.rank = 16});
    const double weights = 400 * 600;
    ASSERT_TRUE(choice.factors.has_value()) << dtype_name(dtype);
    EXPECT_TRUE(check_factors(*choice.factors).has_value());
    EXPECT_EQ(choice.factors->rank(), 4u) << dtype_name(dtype);
    const double left = residual_of(matrices, *choice.factors);
    EXPECT_NEAR(left, choice.residual_bits / weights, 0.02 + 0.02 * left) << dtype_name(dtype);
    if (dtype == DType::kF32) continue;  // the sum's own rounding is most of it there
    EXPECT_LT(left + choice.factor_bits / weights, 0.25 * choice.base_bits / weights)
        << dtype_name(dtype);
  }
}

TEST(LowRankQuantise, TheEstimateOfTheFactorsIsNearTheirRecord) {
  auto matrices = with_low_rank(400, 600, 4, 0.001f, DType::kBF16);
  const auto choice = chosen(matrices, {.rank = 16});
  ASSERT_TRUE(choice.factors.has_value());
  const auto bits = 8 * static_cast<double>(encode_factors(*choice.factors).size());
  EXPECT_NEAR(bits / choice.factor_bits, 1, 0.05);
}

TEST(LowRankQuantise, NothingWhereNothingIsGained) {
  const auto base = normal(200 * 300, 0.02f, 1);
  const auto noise = normal(200 * 300, 0.0002f, 2);
  auto noisy = base;
  for (size_t i = 0; i < noise.size(); ++i) noisy[i] += noise[i];
  Matrices noisy_pair(200, 300, base, noisy, DType::kBF16);
  EXPECT_FALSE(chosen(noisy_pair, {}).factors.has_value());

  Matrices far_pair(200, 300, base, normal(200 * 300, 0.02f, 3), DType::kBF16);
  EXPECT_FALSE(chosen(far_pair, {}).factors.has_value());

  Matrices same(200, 300, base, base, DType::kBF16);
  EXPECT_FALSE(chosen(same, {}).factors.has_value());

  auto few = base;
  for (size_t i = 0; i < few.size(); i += 997) few[i] *= 1.01f;
  Matrices few_changes(200, 300, base, few, DType::kBF16);
  EXPECT_FALSE(chosen(few_changes, {}).factors.has_value());
}

TEST(LowRankFind, NothingForAMatrixThatIsTheSame) {
  auto matrices = with_low_rank(50, 60, 1, 0.0f, DType::kBF16);
  const auto found = find_factors(matrices.pair(), 32);
  ASSERT_TRUE(found.has_value());
  EXPECT_FALSE(found->factors.has_value());
  EXPECT_EQ(found->residual_bits, found->base_bits);
}

TEST(LowRankQuantise, AStepPerDirectionStaysWithinBounds) {
  SingularDirections directions = {.values = {1000, 1, 0.001f},
                                   .left = std::vector<float>(3 * 16, 0.25f),
                                   .right = std::vector<float>(3 * 16, 0.25f)};
  const auto coarse = quantise_with(16, 16, directions, 3, 0.5f);
  ASSERT_TRUE(coarse.has_value());
  EXPECT_EQ(coarse->shifts, (std::vector<uint8_t>{0, 10, 14}));
  EXPECT_FALSE(quantise_with(16, 16, directions, 3, 1e-6f).has_value());  // factors too large
}

TEST(LowRankQuantise, ResidualBitsOfKnownValues) {
  // Eight elements, two predictions' exponents, all exact: one token each context.
  const std::vector<float> same = {1, 1, 1, 1, 2, 2, 2, 2};
  const auto bytes = std::as_bytes(std::span(same));
  EXPECT_DOUBLE_EQ(residual_bits(DType::kF32, bytes, bytes, 8), 12);
  // Half of the elements one step away: a bit each.
  std::vector<float> half = {1, 1, 1, 1};
  for (const size_t i : {0, 2}) half[i] = std::nextafter(half[i], 2.0f);
  const auto ones = bytes.first(16);
  EXPECT_DOUBLE_EQ(residual_bits(DType::kF32, std::as_bytes(std::span(half)), ones, 4), 12 + 4);
  EXPECT_DOUBLE_EQ(residual_bits(DType::kF32, std::as_bytes(std::span(half)), ones, 40), 12 + 40);
  // 2^20 steps away: a token, and 19 bits as they are.
  const std::vector<float> away(4,
                                std::bit_cast<float>(std::bit_cast<uint32_t>(1.0f) + (1u << 20)));
  EXPECT_DOUBLE_EQ(residual_bits(DType::kF32, std::as_bytes(std::span(away)), ones, 4), 6 + 4 * 19);
}

}  // namespace
}  // namespace finedelta
