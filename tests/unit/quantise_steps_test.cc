#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <map>
#include <numbers>
#include <random>

#include "base/bytes.h"
#include "base/hash.h"
#include "coder/steps/quantise.h"
#include "kernels/low_rank.h"
#include "support/float_types.h"

namespace finedelta {
namespace {

using testing::ElementsAre;

// Peaked at 0, the same everywhere: products of three of an engine's numbers.
std::vector<float> some_residuals(size_t count) {
  std::mt19937 engine(3);
  std::vector<float> residuals(count);
  for (float& residual : residuals) {
    residual = 1;
    for (int i = 0; i < 3; ++i) residual *= static_cast<float>(engine() % 2001) / 1000 - 1;
  }
  return residuals;
}

// All in one row.
StepsInput row_of(const std::vector<float>& residuals, float step, double missing = 1) {
  return {.residuals = residuals,
          .columns = std::max<uint64_t>(residuals.size(), 1),
          .step = step,
          .missing = missing};
}

float scale_of(const StepsInput& input) {
  std::vector<int16_t> steps;
  return quantise_steps(input, steps).scale;
}

TEST(QuantiseSteps, HaveADeadZone) {
  std::vector<int16_t> steps;
  const std::vector<float> residuals = {0.0f,  -0.0f,  0.55f, -0.55f, 0.61f, -0.61f,
                                        1.59f, -1.59f, 1.61f, -1.61f, 10.0f, -10.7f};
  const StepsChoice choice = quantise_steps(row_of(residuals, 1), steps);
  EXPECT_FALSE(choice.all_zero);
  EXPECT_THAT(steps, ElementsAre(0, 0, 0, 0, 1, -1, 1, -1, 2, -2, 10, -11));
}

// The smallest residual, in hundredths of a step, that is no zero among so many of them.
int first_threshold(size_t zeros) {
  std::vector<float> residuals(zeros + 1);
  std::vector<int16_t> steps;
  for (int hundredths = 50; hundredths < 200; ++hundredths) {
    residuals[0] = static_cast<float>(hundredths) / 100;
    if (!quantise_steps(row_of(residuals, 1), steps).all_zero) return hundredths;
  }
  return 200;
}

// A number that is one of 2^n takes n bits more, and has to save them.
TEST(QuantiseSteps, RareOnesHaveToBeLarger) {
  for (const int bits : {5, 9, 13}) {
    const double worth = 2 * std::numbers::ln2 / 12 * bits;
    EXPECT_NEAR(first_threshold((size_t{1} << bits) - 1), 100 * (1 + worth) / 2, 1) << bits;
  }
}

// All but the first step are as far apart whatever is rare.
TEST(QuantiseSteps, RareOnesHaveTheSameFurtherSteps) {
  std::vector<float> residuals(10'000);
  std::vector<int16_t> steps;
  for (const auto& [residual, count] : std::map<float, int>{{1.59f, 1}, {1.61f, 2}, {2.61f, 3}}) {
    residuals[0] = residual;
    quantise_steps(row_of(residuals, 1), steps);
    EXPECT_EQ(steps[0], count) << residual;
  }
}

TEST(QuantiseSteps, TakeTheScaleOfLeastError) {
  std::vector<int16_t> steps;
  const std::vector<float> three = {3.0f, -3.0f, 0.1f};
  EXPECT_EQ(scale_of(row_of(three, 2.5f)), 3.0f);
  const std::vector<float> residuals = some_residuals(1000);
  const float scale = quantise_steps(row_of(residuals, 0.1f), steps).scale;
  const auto error = [&](float with) {
    double sum = 0;
    for (size_t i = 0; i < steps.size(); ++i) sum += std::pow(residuals[i] - with * steps[i], 2);
    return sum;
  };
  EXPECT_LT(error(scale), error(0.999f * scale));
  EXPECT_LT(error(scale), error(1.001f * scale));
  EXPECT_NEAR(estimate_steps(row_of(residuals, 0.1f)).error, error(scale) / 1000, 1e-9);
}

// Less of an error along the residuals is worth more of one across them.
TEST(QuantiseSteps, MakeUpForWhatIsMissing) {
  const std::vector<float> residuals = some_residuals(1000);
  for (const float step : {0.5f, 0.2f, 0.05f}) {
    float before = scale_of(row_of(residuals, step));
    const float least_squares = before;
    for (const double missing : {2.0, 5.0, 20.0}) {
      const float scale = scale_of(row_of(residuals, step, missing));
      EXPECT_GT(scale, before) << step;
      EXPECT_LT(scale, missing * least_squares) << step;
      before = scale;
    }
  }
}

TEST(QuantiseSteps, MakeUpForNearlyAllThatIsMissing) {
  std::vector<float> residuals(10'000, 0.5f);
  residuals[7] = -4;
  const double ratio = scale_of(row_of(residuals, 1, 5)) / scale_of(row_of(residuals, 1));
  EXPECT_NEAR(ratio, 5, 0.15);
}

// Numbers in proportion to the residuals leave nothing out.
TEST(QuantiseSteps, WhereNothingIsMissingNothingIsMadeUpFor) {
  const std::vector<float> residuals = {3, -6, 0, 9};
  EXPECT_EQ(scale_of(row_of(residuals, 3, 5)), 3.0f);
}

// In rows of two, the first of which has begun: r = 2; 3, 1 and q = 1; 1, 0. So the sums of
// <r, q>, <q, q> and <r, q>^2 / <r, r> are 2 + 3, 1 + 1 and 4 / 4 + 9 / 10.
TEST(QuantiseSteps, ErrorsAreThoseOfRows) {
  const std::vector<float> residuals = {2, 3, 1};
  StepsInput input{.residuals = residuals, .columns = 2, .first = 1, .step = 2, .missing = 5};
  std::vector<int16_t> steps;
  const float scale = quantise_steps(input, steps).scale;
  EXPECT_THAT(steps, ElementsAre(1, 1, 0));
  EXPECT_FLOAT_EQ(scale, 5 * 5 / (4 * 1.9f + 2));
  const StepsEstimate estimate = estimate_steps(input);
  const double along = std::pow(4 - 2 * scale, 2) / 4 + std::pow(10 - 3 * scale, 2) / 10;
  const double across = std::pow(scale, 2) * (1 - 0.9);
  EXPECT_NEAR(3 * estimate.error, along + across / 5, 1e-6);
  EXPECT_NEAR(3 * estimate.captured, scale * 5, 1e-6);
  // Where a row is one residual, or all lies along the rows.
  input.columns = 1;
  input.first = 0;
  EXPECT_EQ(scale_of(input), 2.5f);
}

TEST(QuantiseSteps, StayWithinBounds) {
  std::vector<int16_t> steps;
  const auto scale = [&](const std::vector<float>& residuals, float step) {
    const StepsChoice choice = quantise_steps(row_of(residuals, step, 5), steps);
    EXPECT_TRUE(is_low_rank_scale(choice.scale));
    return choice.scale;
  };
  EXPECT_EQ(scale({0x1p-110f, 0}, 0x1p-110f), 0x1p-100f);
  EXPECT_EQ(scale({0x1p-126f, 0}, 0x1p-126f), 0x1p-100f);
  EXPECT_EQ(scale({0x1p100f, 0}, 0x1p100f), 0x1p63f);
  EXPECT_EQ(scale({0}, 0x1p-120f), 0x1p-100f);
  EXPECT_EQ(scale({0}, 0x1p120f), 0x1p63f);
  scale({1, -1e30f, std::numeric_limits<float>::max(), -1e-3f}, 1e-3f);
  EXPECT_THAT(steps, ElementsAre(1000, -32767, 32767, -1));
}

TEST(QuantiseSteps, TakeWhatIsNotFiniteAsZero) {
  std::vector<int16_t> steps;
  const std::vector<float> residuals = {kNaN, kInfinity, -kInfinity, -kNaN};
  EXPECT_TRUE(quantise_steps(row_of(residuals, 1), steps).all_zero);
  EXPECT_THAT(steps, ElementsAre(0, 0, 0, 0));
  const StepsEstimate estimate = estimate_steps(row_of(residuals, 1));
  EXPECT_EQ(estimate.bits, 0);
  EXPECT_EQ(estimate.error, 0);
  EXPECT_EQ(estimate.captured, 0);
}

// The same on every machine.
TEST(QuantiseSteps, MakeWhatTheyMade) {
  std::vector<int16_t> steps;
  const std::vector<float> residuals = some_residuals(10'000);
  const StepsInput input{
      .residuals = residuals, .columns = 300, .first = 70, .step = 0.07f, .missing = 5};
  const StepsChoice choice = quantise_steps(input, steps);
  EXPECT_EQ(std::bit_cast<uint32_t>(choice.scale), 1033018020u);
  EXPECT_EQ(xxh3_64(std::as_bytes(std::span(steps))), 668265553978451193u);
  const StepsEstimate estimate = estimate_steps(input);
  EXPECT_EQ(std::bit_cast<uint64_t>(estimate.bits), 4614265412126495684u);
  EXPECT_EQ(std::bit_cast<uint64_t>(estimate.error), 4545518136776030421u);
  EXPECT_EQ(std::bit_cast<uint64_t>(estimate.captured), 4585271170464198726u);
}

TEST(EstimateSteps, CountTheBitsOfTheEntropy) {
  const std::vector<float> residuals = some_residuals(10'000);
  for (const float step : {1.0f, 0.3f, 0.03f, 0.004f}) {
    std::vector<int16_t> steps;
    quantise_steps(row_of(residuals, step), steps);
    std::map<int, double> counts;
    for (const int16_t value : steps) ++counts[std::abs(value)];
    double bits = 0;
    for (const auto& [magnitude, count] : counts) {
      bits += count * (std::log2(1e4 / count) + (magnitude > 0 ? 1 : 0));
    }
    EXPECT_NEAR(estimate_steps(row_of(residuals, step)).bits, bits / 1e4, 2e-3) << step;
  }
}

TEST(EstimateSteps, KnowTheirLimits) {
  EXPECT_EQ(estimate_steps({}).bits, 0);
  const std::vector<float> small = {0.5f, -0.5f};
  const StepsEstimate nothing = estimate_steps(row_of(small, 1));
  EXPECT_EQ(nothing.bits, 0);
  EXPECT_EQ(nothing.error, 0.25);
  EXPECT_EQ(nothing.captured, 0);
  // Two large magnitudes of one class: their signs and the digits below the first.
  const std::vector<float> large = {300.0f, -500.0f};
  EXPECT_EQ(estimate_steps(row_of(large, 1)).bits, 9);
}

}  // namespace
}  // namespace finedelta
