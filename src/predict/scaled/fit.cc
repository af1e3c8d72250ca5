#include "predict/fit.h"

#include <algorithm>
#include <cmath>

#include "predict/scaled/scaled.h"

namespace finedelta {

namespace {

struct Pairs {
  std::vector<double> base;
  std::vector<double> value;
};

Pairs fit_pairs(std::span<const float> base, std::span<const float> value) {
  Pairs pairs;
  for (size_t i = 0; i < base.size(); ++i) {
    if (base[i] == 0 || !is_fit(base[i]) || !is_fit(value[i])) continue;
    pairs.base.push_back(base[i]);
    pairs.value.push_back(value[i]);
  }
  return pairs;
}

// The middle one; not empty. Which of equal numbers it is does not matter.
double median(std::vector<double> numbers) {
  const auto middle = numbers.begin() + static_cast<ptrdiff_t>(numbers.size() / 2);
  std::ranges::nth_element(numbers, middle);
  return *middle;
}

double least_squares(const Pairs& pairs) {
  double product = 0;
  double square = 0;
  for (size_t i = 0; i < pairs.base.size(); ++i) {
    product += pairs.base[i] * pairs.value[i];
    square += pairs.base[i] * pairs.base[i];
  }
  return product / square;
}

// Of the quotients where the base is large, so that rounding and noise weigh little. It stands for
// most elements where least squares follows a few that were trained: rows of an embedding.
double median_quotient(const Pairs& pairs) {
  std::vector<double> magnitudes = pairs.base;
  for (double& magnitude : magnitudes) magnitude = std::abs(magnitude);
  const double limit = median(std::move(magnitudes));
  std::vector<double> quotients;
  for (size_t i = 0; i < pairs.base.size(); ++i) {
    if (std::abs(pairs.base[i]) >= limit) quotients.push_back(pairs.value[i] / pairs.base[i]);
  }
  return median(std::move(quotients));
}

}  // namespace

std::vector<float> fit_scales(std::span<const float> base, std::span<const float> value) {
  const Pairs pairs = fit_pairs(base, value);
  if (pairs.base.empty()) return {};
  const double fitted[] = {least_squares(pairs), median_quotient(pairs)};
  std::vector<float> scales;
  const auto add = [&](double fitted_scale) {
    const auto scale = static_cast<float>(std::clamp(fitted_scale, 0.0, 2.0));
    const bool known = std::ranges::find(scales, scale) != scales.end();
    if (is_scale(scale) && scale != 1 && !known) scales.push_back(scale);
  };
  for (const int parts : kUsualParts) add(rounded_to(fitted[1], parts));
  for (const double scale : fitted) add(scale);
  return scales;
}

}  // namespace finedelta
