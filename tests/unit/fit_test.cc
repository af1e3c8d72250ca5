// Factors from samples.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "predict/combination/combination.h"
#include "predict/scaled/scaled.h"
#include "support/float_types.h"

namespace finedelta {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

std::vector<float> sample(uint64_t seed, size_t count = 1000) {
  std::vector<float> values;
  uint64_t state = seed;
  while (values.size() < count) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    values.push_back((static_cast<float>(state >> 40) - 8388608.0f) / 8388608.0f);
  }
  return values;
}

std::vector<float> times(float factor, std::vector<float> values) {
  for (float& value : values) value *= factor;
  return values;
}

std::vector<float> plus(std::vector<float> values, const std::vector<float>& others) {
  for (size_t i = 0; i < values.size(); ++i) values[i] += others[i];
  return values;
}

TEST(FitScales, FindsTheFactor) {
  EXPECT_THAT(fit_scales(sample(1), times(0.9f, sample(1))), Contains(0.9f));
  EXPECT_THAT(fit_scales(sample(1), times(0.703125f, sample(1))), Contains(0.703125f));
}

TEST(FitScales, HasNothingToSayOfEqualSamples) {
  EXPECT_THAT(fit_scales(sample(1), sample(1)), IsEmpty());
}

TEST(FitScales, StaysInRange) {
  EXPECT_THAT(fit_scales(sample(1), times(-1, sample(1))), IsEmpty());
  EXPECT_THAT(fit_scales(sample(1), times(1e30f, sample(1))), IsEmpty());
  EXPECT_THAT(fit_scales(sample(1), times(0, sample(1))), IsEmpty());
}

TEST(FitScales, TheMedianDoesNotFollowAFew) {
  std::vector<float> value = times(0.95f, sample(1));
  for (size_t i = 0; i < value.size(); i += 10) value[i] = 30;
  EXPECT_THAT(fit_scales(sample(1), value), Contains(0.95f));
}

TEST(FitScales, NumbersThatWouldSpoilItAreLeftOut) {
  std::vector<float> base = sample(1);
  std::vector<float> value = times(0.9f, base);
  base[0] = kNaN;
  base[1] = kInfinity;
  base[2] = 1e-42f;
  base[3] = 0;
  value[4] = kNaN;
  value[5] = -kInfinity;
  EXPECT_THAT(fit_scales(base, value), Contains(0.9f));
  const std::vector<float> nothing(10, kNaN);
  EXPECT_THAT(fit_scales(nothing, nothing), IsEmpty());
  EXPECT_THAT(fit_scales({}, {}), IsEmpty());
}

TEST(FitCombination, FindsTheFactors) {
  const std::vector<float> value = plus(times(0.3f, sample(1)), times(0.7f, sample(2)));
  EXPECT_THAT(fit_combination(sample(1), sample(2), value), Contains(ElementsAre(0.3f, 0.7f)));
  const std::vector<float> apart = plus(times(1.25f, sample(1)), times(-0.75f, sample(2)));
  EXPECT_THAT(fit_combination(sample(1), sample(2), apart), Contains(ElementsAre(1.25f, -0.75f)));
}

TEST(FitCombination, ParentsThatAreAllButEqual) {
  const std::vector<float> other = plus(sample(1), times(1e-7f, sample(2)));
  const std::vector<float> value = plus(times(0.5f, sample(1)), times(0.5f, other));
  EXPECT_THAT(fit_combination(sample(1), other, value), Contains(ElementsAre(0.5f, 0.5f)));
  EXPECT_THAT(fit_combination(sample(1), sample(1), sample(1)), IsEmpty());
}

TEST(FitCombination, NumbersThatWouldSpoilItAreLeftOut) {
  std::vector<float> first = sample(1);
  const std::vector<float> value = plus(times(0.3f, first), times(0.7f, sample(2)));
  first[7] = kNaN;
  first[8] = kInfinity;
  EXPECT_THAT(fit_combination(first, sample(2), value), Contains(ElementsAre(0.3f, 0.7f)));
  const std::vector<float> nothing(10, kNaN);
  EXPECT_THAT(fit_combination(nothing, nothing, nothing), IsEmpty());
  EXPECT_THAT(fit_combination({}, {}, {}), IsEmpty());
}

}  // namespace
}  // namespace finedelta
