#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <map>
#include <random>

#include "base/bytes.h"
#include "base/hash.h"
#include "coder/steps/quantise.h"
#include "kernels/low_rank.h"

namespace finedelta {
namespace {

using testing::ElementsAre;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

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

TEST(QuantiseSteps, HaveADeadZone) {
  std::vector<int16_t> steps;
  const std::vector<float> residuals = {0.0f,  -0.0f,  0.59f, -0.59f, 0.61f, -0.61f,
                                        1.59f, -1.59f, 1.61f, -1.61f, 10.0f, -10.7f};
  const StepsChoice choice = quantise_steps(residuals, 1.0f, steps);
  EXPECT_FALSE(choice.all_zero);
  EXPECT_THAT(steps, ElementsAre(0, 0, 0, 0, 1, -1, 1, -1, 2, -2, 10, -11));
}

TEST(QuantiseSteps, TakeTheScaleOfLeastError) {
  std::vector<int16_t> steps;
  EXPECT_EQ(quantise_steps(std::vector<float>{3.0f, -3.0f, 0.1f}, 2.5f, steps).scale, 3.0f);
  const std::vector<float> residuals = some_residuals(1000);
  const float scale = quantise_steps(residuals, 0.1f, steps).scale;
  const auto error = [&](float with) {
    double sum = 0;
    for (size_t i = 0; i < steps.size(); ++i) sum += std::pow(residuals[i] - with * steps[i], 2);
    return sum;
  };
  EXPECT_LT(error(scale), error(0.999f * scale));
  EXPECT_LT(error(scale), error(1.001f * scale));
  EXPECT_NEAR(estimate_steps(residuals, 0.1f).error, error(scale) / 1000, 1e-9);
}

TEST(QuantiseSteps, StayWithinBounds) {
  std::vector<int16_t> steps;
  const auto scale = [&](std::vector<float> residuals, float step) {
    const StepsChoice choice = quantise_steps(residuals, step, steps);
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
  EXPECT_TRUE(quantise_steps(residuals, 1.0f, steps).all_zero);
  EXPECT_THAT(steps, ElementsAre(0, 0, 0, 0));
  const StepsEstimate estimate = estimate_steps(residuals, 1.0f);
  EXPECT_EQ(estimate.bits, 0);
  EXPECT_EQ(estimate.error, 0);
}

// The same on every machine.
TEST(QuantiseSteps, MakeWhatTheyMade) {
  std::vector<int16_t> steps;
  const StepsChoice choice = quantise_steps(some_residuals(10'000), 0.07f, steps);
  EXPECT_EQ(std::bit_cast<uint32_t>(choice.scale), 1032942858u);
  EXPECT_EQ(xxh3_64(std::as_bytes(std::span(steps))), 9350957016279483867u);
  const StepsEstimate estimate = estimate_steps(some_residuals(10'000), 0.07f);
  EXPECT_EQ(std::bit_cast<uint64_t>(estimate.bits), 4614210671734080040u);
  EXPECT_EQ(std::bit_cast<uint64_t>(estimate.error), 4556016546562621886u);
}

TEST(EstimateSteps, CountTheBitsOfTheEntropy) {
  const std::vector<float> residuals = some_residuals(10'000);
  for (const float step : {1.0f, 0.3f, 0.03f, 0.004f}) {
    std::vector<int16_t> steps;
    quantise_steps(residuals, step, steps);
    std::map<int, double> counts;
    for (const int16_t value : steps) ++counts[std::abs(value)];
    double bits = 0;
    for (const auto& [magnitude, count] : counts) {
      bits += count * (std::log2(1e4 / count) + (magnitude > 0 ? 1 : 0));
    }
    EXPECT_NEAR(estimate_steps(residuals, step).bits, bits / 1e4, 2e-3) << step;
  }
}

TEST(EstimateSteps, KnowTheirLimits) {
  EXPECT_EQ(estimate_steps({}, 1.0f).bits, 0);
  const StepsEstimate nothing = estimate_steps(std::vector<float>{0.5f, -0.5f}, 1.0f);
  EXPECT_EQ(nothing.bits, 0);
  EXPECT_EQ(nothing.error, 0.25);
  // Two large magnitudes of one class: their signs and the digits below the first.
  const StepsEstimate large = estimate_steps(std::vector<float>{300.0f, -500.0f}, 1.0f);
  EXPECT_EQ(large.bits, 9);
}

}  // namespace
}  // namespace finedelta
