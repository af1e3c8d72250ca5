#include "lossy/approximation.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "coder/steps/quantise.h"
#include "lossy/lossy_factors.h"

namespace finedelta {

namespace {

struct Steps {
  float step = 0;
  double bits = 0;      // of each element
  double left = 0;      // energy of all
  double captured = 0;  // likewise
};

double mean_square(const std::vector<float>& values) {
  double sum = 0;
  for (const float value : values) sum += double{value} * value;
  return values.empty() ? 0 : sum / static_cast<double>(values.size());
}

// Of what the factors of that distortion leave. Its values have the shape of the rest's, and are
// larger by the directions that were left out and by what the factors' rounding adds. A step adds
// the distortion to every value, as the factors' steps do.
Steps steps_for(const Difference& difference, double distortion, const Aim& aim) {
  const double left =
      energy_left(difference.rows, difference.columns, difference.directions, distortion);
  const double mean = left / difference.elements();
  const double of_sample = mean_square(difference.rest);
  const float step = step_for(distortion);
  if (of_sample == 0 || !std::isnormal(step)) return {.left = left};
  std::vector<float> values = difference.rest;
  const auto larger = static_cast<float>(std::sqrt(mean / of_sample));
  for (float& value : values) value *= larger;
  const StepsEstimate estimate = estimate_steps(
      {.residuals = values, .columns = difference.piece, .step = step, .missing = aim.missing});
  if (estimate.captured == 0) return {.left = left};
  return {.step = step,
          .bits = estimate.bits,
          .left = estimate.error * difference.elements(),
          .captured = estimate.captured * difference.elements()};
}

}  // namespace

Approximation approximate(const Difference& difference, double distortion, const Aim& aim) {
  const double energy = difference.directions.energy;
  auto found =
      lossy_factors(difference.rows, difference.columns, difference.directions, distortion);
  const Steps steps = steps_for(difference, distortion, aim);
  Approximation made{.step = steps.step, .step_bytes = steps.bits * difference.elements() / 8};
  const double captured = (found ? found->captured : 0) + steps.captured;
  if (captured <= 0) return made;
  made.strength = std::pow(std::min(1.0, captured / energy), -aim.gain);
  if (!found) return made;
  found->factors.scale *= static_cast<float>(made.strength);
  if (check_factors(found->factors)) made.factors = std::move(found->factors);
  return made;
}

ExpectedBytes expected_bytes(const Difference& difference, double distortion, const Aim& aim) {
  const Steps steps = steps_for(difference, distortion, aim);
  return {.factors = expected_factor_bytes(difference.rows, difference.columns,
                                           difference.directions, distortion),
          .step = steps.step,
          .steps = steps.bits * difference.elements() / 8};
}

double expected_error(const Difference& difference, double distortion) {
  return std::sqrt(steps_for(difference, distortion, kLeastError).left /
                   difference.directions.energy);
}

}  // namespace finedelta
