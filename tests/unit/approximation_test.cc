#include "lossy/approximation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "coder/steps/quantise.h"
#include "lossy/lossy_factors.h"
#include "lossy/residual_sample.h"
#include "unit/low_rank_matrices.h"

namespace finedelta {
namespace {

constexpr uint64_t kRows = 300;
constexpr uint64_t kColumns = 280;
constexpr size_t kRank = 16;

// A matrix that gained something of low rank, and noise besides.
Matrices noisy(float noise, uint64_t rows = kRows, uint64_t columns = kColumns) {
  Matrices matrices = with_low_rank(rows, columns, 4, 0.01f, DType::kF32);
  const std::vector<float> more = normal(rows * columns, noise, 4);
  for (size_t i = 0; i < more.size(); ++i) {
    std::byte* const place = matrices.fine.data() + i * sizeof(float);
    const float value = load<float>(place) + more[i];
    std::memcpy(place, &value, sizeof(value));
  }
  return matrices;
}

Difference difference_of(Matrices& matrices) {
  Difference known{.rows = matrices.rows, .columns = matrices.columns};
  auto directions = fit_low_rank(matrices.pair(), {.rank = kRank, .passes = 4});
  EXPECT_TRUE(directions.has_value());
  known.directions = std::move(directions).value();
  auto rest = sample_residual(matrices.pair(), known.directions);
  EXPECT_TRUE(rest.has_value());
  known.rest = std::move(rest).value();
  known.piece = residual_piece(matrices.columns);
  return known;
}

// Of all elements of fine - base.
std::vector<float> deltas_of(const Matrices& matrices) {
  std::vector<float> deltas(matrices.rows * matrices.columns);
  for (size_t i = 0; i < deltas.size(); ++i) {
    const size_t at = i * sizeof(float);
    deltas[i] = load<float>(matrices.fine.data() + at) - load<float>(matrices.base.data() + at);
  }
  return deltas;
}

void subtract(std::vector<float>& from, double scale, const float* left, const float* right,
              const Difference& shape) {
  for (size_t i = 0; i < shape.rows; ++i) {
    for (size_t j = 0; j < shape.columns; ++j) {
      from[i * shape.columns + j] -= static_cast<float>(scale * left[i] * right[j]);
    }
  }
}

std::vector<float> without_directions(std::vector<float> deltas, const Difference& known) {
  const SingularDirections& directions = known.directions;
  for (size_t k = 0; k < directions.rank(); ++k) {
    subtract(deltas, directions.values[k], directions.left.data() + k * known.rows,
             directions.right.data() + k * known.columns, known);
  }
  return deltas;
}

std::vector<float> without_factors(std::vector<float> deltas, const Factors& factors,
                                   const Difference& known) {
  const std::vector<float> left(factors.left.begin(), factors.left.end());
  const std::vector<float> right(factors.right.begin(), factors.right.end());
  for (size_t k = 0; k < factors.rank(); ++k) {
    subtract(deltas, std::ldexp(double{factors.scale}, factors.shifts[k]),
             left.data() + k * known.rows, right.data() + k * known.columns, known);
  }
  return deltas;
}

double energy_of(const std::vector<float>& values) {
  double sum = 0;
  for (const float value : values) sum += double{value} * value;
  return sum;
}

double mean_square(const std::vector<float>& values) {
  return energy_of(values) / static_cast<double>(values.size());
}

// Of what is left of the difference where nothing is made larger than it is.
double error_left(const std::vector<float>& deltas, const Approximation& made,
                  const Difference& known) {
  std::vector<float> left = made.factors ? without_factors(deltas, *made.factors, known) : deltas;
  if (made.step > 0) {
    std::vector<int16_t> steps;
    const StepsChoice choice =
        quantise_steps({.residuals = left, .columns = known.columns, .step = made.step}, steps);
    for (size_t i = 0; i < left.size(); ++i) left[i] -= choice.scale * steps[i];
  }
  return std::sqrt(energy_of(left) / energy_of(deltas));
}

// What is left out is made up for: what is kept is larger than what it stands for.
TEST(Approximation, WhatIsLeftOutMakesTheRestLarger) {
  Matrices matrices = with_low_rank(kRows, kColumns, 1, 0.01f, DType::kF32);
  Difference known = difference_of(matrices);
  known.rest.clear();
  const Approximation alone = approximate(known, 1e-6, kBehaviour);
  EXPECT_NEAR(alone.strength, 1, 0.01);
  known.directions.energy *= 32;
  const Approximation part = approximate(known, 1e-6, kBehaviour);
  ASSERT_TRUE(alone.factors.has_value() && part.factors.has_value());
  EXPECT_EQ(part.factors->left, alone.factors->left);
  EXPECT_NEAR(part.strength / alone.strength, std::pow(32, kBehaviour.gain), 1e-3);
  EXPECT_NEAR(part.factors->scale / alone.factors->scale, part.strength / alone.strength, 1e-6);
}

TEST(Approximation, NothingIsMadeLargerForTheLeastError) {
  Matrices matrices = noisy(0.01f);
  const Difference known = difference_of(matrices);
  const Approximation made = approximate(known, 1e-4, kLeastError);
  EXPECT_EQ(made.strength, 1);
  ASSERT_TRUE(made.factors.has_value());
  const auto factors = lossy_factors(known.rows, known.columns, known.directions, 1e-4);
  ASSERT_TRUE(factors.has_value());
  EXPECT_EQ(made.factors->scale, factors->factors.scale);
}

// Steps hold some of the energy too.
TEST(Approximation, StepsCountAsKept) {
  Matrices matrices = noisy(0.01f);
  Difference known = difference_of(matrices);
  const Approximation both = approximate(known, 1e-6, kBehaviour);
  known.rest.clear();
  const Approximation factors = approximate(known, 1e-6, kBehaviour);
  EXPECT_GT(both.step, 0);
  EXPECT_LT(both.strength, 0.95 * factors.strength);
}

TEST(Approximation, StepsOfALargeRestOnly) {
  Matrices matrices = noisy(0.01f);
  const Difference known = difference_of(matrices);
  for (const double distortion : {1e-7, 1e-6, 1e-5}) {
    const Approximation made = approximate(known, distortion, kBehaviour);
    EXPECT_EQ(made.step, static_cast<float>(std::sqrt(12 * distortion)));
    EXPECT_GT(made.step_bytes, 0);
  }
  Matrices hardly = noisy(1e-4f);
  const Approximation none = approximate(difference_of(hardly), 1e-6, kBehaviour);
  EXPECT_TRUE(none.factors.has_value());
  EXPECT_EQ(none.step, 0);
  EXPECT_EQ(none.step_bytes, 0);
}

// Half the step takes about a bit more of each element.
TEST(Approximation, FinerStepsTakeMoreBytes) {
  Matrices matrices = noisy(0.01f);
  const Difference known = difference_of(matrices);
  const double coarse = approximate(known, 4e-7, kBehaviour).step_bytes;
  const double fine = approximate(known, 1e-7, kBehaviour).step_bytes;
  EXPECT_NEAR(fine - coarse, kRows * kColumns / 8.0, 0.1 * kRows * kColumns / 8);
}

// What is expected of the factors' bytes, and exactly what the steps are expected to take.
TEST(Approximation, ItsBytesAreExpected) {
  Matrices matrices = noisy(0.01f);
  const Difference known = difference_of(matrices);
  for (const double distortion : {1e-8, 1e-7, 1e-6, 1e-5}) {
    const Approximation made = approximate(known, distortion, kBehaviour);
    ASSERT_TRUE(made.factors.has_value());
    const auto stored =
        static_cast<double>(encode_factors(*made.factors, FactorCode::kAdaptive).size());
    Difference outline = known;
    outline.directions.left.clear();
    outline.directions.right.clear();
    const ExpectedBytes expected = expected_bytes(outline, distortion, kBehaviour);
    EXPECT_NEAR(expected.factors / stored, 1, 0.15) << distortion;
    EXPECT_EQ(expected.step, made.step);
    EXPECT_EQ(expected.steps, made.step_bytes);
  }
  const ExpectedBytes none = expected_bytes({.rows = kRows, .columns = kColumns}, 1e-6, kBehaviour);
  EXPECT_EQ(none.factors, 0);
  EXPECT_EQ(none.steps, 0);
}

TEST(Approximation, NothingOfNothing) {
  const Difference none{.rows = kRows, .columns = kColumns};
  const Approximation made = approximate(none, 1e-6, kBehaviour);
  EXPECT_FALSE(made.factors.has_value());
  EXPECT_EQ(made.strength, 1);
  EXPECT_EQ(made.step, 0);
}

TEST(Approximation, TheErrorIsTheOneExpected) {
  Matrices matrices = noisy(0.01f);
  const Difference known = difference_of(matrices);
  const std::vector<float> deltas = deltas_of(matrices);
  double before = 1.001;
  for (const double distortion : {1e-2, 1e-3, 1e-4, 3e-5, 1e-5, 1e-6, 1e-7}) {
    const double expected = expected_error(known, distortion);
    EXPECT_LT(expected, before) << distortion;
    const Approximation made = approximate(known, distortion, kLeastError);
    EXPECT_NEAR(error_left(deltas, made, known) / expected, 1, 0.05) << distortion;
    before = expected;
  }
  EXPECT_LT(before, 0.05);
}

// Whether so many values are found at one place of this row.
bool is_in_row(const float* wanted, size_t count, const float* row, size_t columns) {
  for (size_t first = 0; first + count <= columns; ++first) {
    size_t alike = 0;
    while (alike < count && std::abs(wanted[alike] - row[first + alike]) < 1e-6f) ++alike;
    if (alike == count) return true;
  }
  return false;
}

TEST(ResidualSample, HoldsPiecesOfWhatDirectionsLeave) {
  Matrices matrices = noisy(0.01f);
  const Difference known = difference_of(matrices);
  const std::vector<float> left = without_directions(deltas_of(matrices), known);
  ASSERT_EQ(known.piece, 32u);
  ASSERT_EQ(known.rest.size(), 256u * 32);
  size_t row = 0;
  for (size_t piece = 0; piece < 256; ++piece, ++row) {
    const float* const wanted = known.rest.data() + piece * 32;
    while (row < kRows && !is_in_row(wanted, 32, left.data() + row * kColumns, kColumns)) ++row;
    ASSERT_LT(row, kRows) << piece;
  }
  EXPECT_NEAR(mean_square(known.rest) / mean_square(left), 1, 0.05);
}

TEST(ResidualSample, HoldsAllOfASmallMatrix) {
  Matrices matrices = noisy(0.01f, 20, 24);
  const Difference known = difference_of(matrices);
  const std::vector<float> left = without_directions(deltas_of(matrices), known);
  ASSERT_EQ(known.piece, 24u);
  ASSERT_EQ(known.rest.size(), left.size());
  for (size_t i = 0; i < left.size(); ++i) EXPECT_NEAR(known.rest[i], left[i], 1e-6) << i;
}

TEST(ResidualSample, ReadsOneRowForEachPiece) {
  Matrices matrices = noisy(0.01f, 3000, 40);
  const Difference known = difference_of(matrices);
  EXPECT_EQ(known.rest.size(), 256u * 32);
  matrices.elements_read = 0;
  EXPECT_TRUE(sample_residual(matrices.pair(), known.directions).has_value());
  EXPECT_EQ(matrices.elements_read, 2u * 256 * 40);
}

}  // namespace
}  // namespace finedelta
