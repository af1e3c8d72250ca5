#include "predict/fit.h"

#include <algorithm>

#include "predict/combination/combination.h"

namespace finedelta {

namespace {

// Sums over the elements of products of first (a), second (b) and value (v), and of those of
// differences from the first.
struct Sums {
  double aa = 0, ab = 0, bb = 0, av = 0, bv = 0;
  double step_step = 0;   // (b - a)^2
  double step_value = 0;  // (b - a) (v - a)
};

Sums sum_products(std::span<const float> first, std::span<const float> second,
                  std::span<const float> value) {
  Sums sums;
  for (size_t i = 0; i < value.size(); ++i) {
    if (!is_fit(first[i]) || !is_fit(second[i]) || !is_fit(value[i])) continue;
    const double a = first[i];
    const double b = second[i];
    const double v = value[i];
    sums.aa += a * a;
    sums.ab += a * b;
    sums.bb += b * b;
    sums.av += a * v;
    sums.bv += b * v;
    sums.step_step += (b - a) * (b - a);
    sums.step_value += (b - a) * (v - a);
  }
  return sums;
}

class Candidates {
 public:
  void add(double first, double second) {
    const CombinationFactors factors = {to_f32(first), to_f32(second)};
    const bool allowed = std::ranges::all_of(factors, is_coefficient);
    const bool known = std::ranges::find(list_, factors) != list_.end();
    if (allowed && !known) list_.push_back(factors);
  }
  // These numbers, and those that a person may have written for them.
  void add_usual(double first, double second) {
    for (const int parts : kUsualParts) add(rounded_to(first, parts), rounded_to(second, parts));
  }
  std::vector<CombinationFactors> take() { return std::move(list_); }

 private:
  // What is far out of range stays out of it.
  static float to_f32(double factor) { return static_cast<float>(std::clamp(factor, -8.0, 8.0)); }

  std::vector<CombinationFactors> list_;
};

}  // namespace

std::vector<CombinationFactors> fit_combination(std::span<const float> first,
                                                std::span<const float> second,
                                                std::span<const float> value) {
  const Sums sums = sum_products(first, second, value);
  Candidates candidates;
  if (sums.step_step == 0) return {};
  // Weights that add up to 1 are the rule. Where the parents are all but equal, the equations of
  // least squares say nothing about each alone, and no others can be found.
  const double step = sums.step_value / sums.step_step;
  candidates.add(0.5, 0.5);
  candidates.add_usual(1 - step, step);
  constexpr double kLeastDeterminant = 1e-12;
  const double determinant = sums.aa * sums.bb - sums.ab * sums.ab;
  if (determinant <= kLeastDeterminant * sums.aa * sums.bb) {
    candidates.add(1 - step, step);
    return candidates.take();
  }
  const double a = (sums.av * sums.bb - sums.bv * sums.ab) / determinant;
  const double b = (sums.bv * sums.aa - sums.av * sums.ab) / determinant;
  candidates.add_usual(a, b);
  candidates.add(a, b);
  return candidates.take();
}

}  // namespace finedelta
