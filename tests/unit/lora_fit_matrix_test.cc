#include <gtest/gtest.h>

#include <cmath>

#include "lora/fit_matrix.h"
#include "lora/measure.h"
#include "predict/low_rank/rounding.h"
#include "support/float_types.h"
#include "unit/low_rank_matrices.h"

namespace finedelta::peft {
namespace {

// Not scaled by the singular values: the whole product is in the left factor.
MatrixFactors factors_of(const SingularDirections& directions, uint64_t rows) {
  MatrixFactors factors{
      .rank = directions.rank(), .left = directions.left, .right = directions.right};
  for (size_t i = 0; i < factors.left.size(); ++i) {
    factors.left[i] *= directions.values[i / rows];
  }
  return factors;
}

TEST(LoraFitMatrix, AMergedAdapterHasItsOwnRank) {
  for (const DType dtype : kCastableTypes) {
    for (const size_t rank : {1u, 4u, 16u}) {
      Matrices matrices = with_low_rank(160, 120, rank, 0.01f, dtype);
      const auto fit = fit_matrix(matrices.pair(), 32);
      ASSERT_TRUE(fit.has_value());
      EXPECT_TRUE(fit->is_exact);
      EXPECT_EQ(fit->directions.rank(), rank) << dtype_name(dtype);
      EXPECT_EQ(fit->directions.left.size(), rank * 160);
      EXPECT_EQ(fit->directions.right.size(), rank * 120);
    }
  }
}

TEST(LoraFitMatrix, WhatItPromisesIsKept) {
  for (const DType dtype : kCastableTypes) {
    Matrices matrices = with_low_rank(160, 120, 4, 0.01f, dtype);
    const auto fit = fit_matrix(matrices.pair(), 32);
    ASSERT_TRUE(fit.has_value());
    double promised = 0;
    for (const float value : fit->directions.values) promised += fit->share * value * value;
    const auto change = measure(matrices.pair(), factors_of(fit->directions, 160));
    ASSERT_TRUE(change.has_value());
    const double kept = 1 - change->left / change->gained;
    EXPECT_LE(promised / change->gained, kept + 1e-6);
    EXPECT_GE(promised / change->gained, kept - 1e-3);
    EXPECT_LT(change->error(), dtype == DType::kBF16 ? 0.1 : 0.02);
  }
}

TEST(LoraFitMatrix, WhereThereIsMoreThanRoundingNothingIsCut) {
  Matrices matrices = with_low_rank(160, 120, 4, 0.01f, DType::kBF16);
  auto fine = normal(160 * 120, 0.02f, 9);
  Matrices full(160, 120, fine, normal(160 * 120, 0.02f, 10), DType::kBF16);
  const auto fit = fit_matrix(full.pair(), 32);
  ASSERT_TRUE(fit.has_value());
  EXPECT_FALSE(fit->is_exact);
  EXPECT_EQ(fit->directions.rank(), 32);
  EXPECT_EQ(fit->share, 1);
  // A rank too low for what was merged.
  const auto low = fit_matrix(matrices.pair(), 3);
  ASSERT_TRUE(low.has_value());
  EXPECT_FALSE(low->is_exact);
  EXPECT_EQ(low->directions.rank(), 3);
}

TEST(LoraFitMatrix, RoundingAloneIsNoAdapter) {
  const auto values = normal(160 * 120, 0.02f, 1);
  Matrices rounded(160, 120, values, values, DType::kBF16);
  // The base in BF16 read as F32, the fine-tune unrounded: the difference is what rounding took.
  Matrices matrices(160, 120, values, values, DType::kF32);
  for (size_t i = 0; i < values.size(); ++i) {
    const uint32_t wide = uint32_t{load<uint16_t>(&rounded.base[2 * i])} << 16;
    store(&matrices.base[4 * i], wide);
  }
  MatrixPair pair = matrices.pair();
  const auto fit = fit_matrix(pair, 8);
  ASSERT_TRUE(fit.has_value());
  EXPECT_EQ(fit->directions.rank(), 8);
  EXPECT_FALSE(fit->is_exact);
  // Its energy is what the variances say.
  const auto energy = rounding_energy(rounded.pair());
  ASSERT_TRUE(energy.has_value());
  EXPECT_NEAR(fit->directions.energy / *energy, 1, 0.05);
}

TEST(LoraFitMatrix, EqualMatrices) {
  const auto values = normal(64 * 32, 0.02f, 1);
  Matrices matrices(64, 32, values, values, DType::kF32);
  const auto fit = fit_matrix(matrices.pair(), 8);
  ASSERT_TRUE(fit.has_value());
  EXPECT_EQ(fit->directions.rank(), 0);
  EXPECT_EQ(fit->directions.energy, 0);
}

TEST(LoraFitMatrix, TheLargestRank) {
  EXPECT_EQ(largest_rank(64, 32), 32);
  EXPECT_EQ(largest_rank(1, 5), 1);
  // What it allows takes no more than it says.
  for (const uint64_t rows : {4096u, 150'000u, 2'000'000u}) {
    const size_t rank = largest_rank(rows, 4096);
    EXPECT_GT(rank, 0);
    EXPECT_LE(fit_bytes(rows, 4096, rank), (rank > 1 ? uint64_t{192} : uint64_t{400}) << 20)
        << rows;
  }
}

TEST(LoraMeasure, SumsOfSquares) {
  const std::vector<float> base = {3, 0, 0, 4};
  const std::vector<float> fine = {4, 2, 0, 4};
  Matrices matrices(2, 2, base, fine, DType::kF32);
  auto change = measure(matrices.pair(), {});
  ASSERT_TRUE(change.has_value());
  EXPECT_EQ(change->base, 25);
  EXPECT_EQ(change->gained, 5);
  EXPECT_EQ(change->left, 5);
  EXPECT_FLOAT_EQ(static_cast<float>(change->relative()), std::sqrt(0.2f));
  EXPECT_EQ(change->error(), 1);
  change = measure(matrices.pair(), {.rank = 1, .left = {1, 0}, .right = {1, 1}});
  ASSERT_TRUE(change.has_value());
  EXPECT_EQ(change->left, 1);
}

}  // namespace
}  // namespace finedelta::peft
