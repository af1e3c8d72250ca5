#include "coder/steps/quantise.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "kernels/low_rank.h"
#include "numeric/log2.h"

namespace finedelta {

namespace {

// Less than a half: a step more takes more bits than the squared error that it saves is worth,
// above all the first one. The scale, fitted afterwards, makes up for what is cut off.
constexpr float kRounding = 0.4f;
constexpr float kLargest = kLargestLowRankFactor;

float finite_or_zero(float residual) {
  return std::abs(residual) <= std::numeric_limits<float>::max() ? residual : 0.0f;
}

int32_t whole_steps(float residual, float step) {
  const float steps = std::min(std::abs(residual) / step + kRounding, kLargest);
  return static_cast<int32_t>(std::copysign(steps, residual));  // rounds towards zero
}

// The sums of a least-squares fit of numbers of steps to residuals, in their order.
struct Sums {
  double both = 0;
  double steps = 0;
  double residuals = 0;

  void add(float residual, int32_t count) {
    both += double{residual} * count;
    steps += double(count) * count;
    residuals += double{residual} * residual;
  }
};

float nearest_scale(double wanted) {
  // In F32 already, so that it is rounded the same everywhere.
  return std::clamp(static_cast<float>(std::min(wanted, 0x1p63)), 0x1p-100f, 0x1p63f);
}

// How often each magnitude comes. Of large ones, how often each number of digits does.
class Histogram {
 public:
  void add(uint32_t magnitude) {
    const auto digits = static_cast<unsigned>(std::bit_width(magnitude));
    ++counts_[magnitude < kExact ? magnitude : kExact + digits];
    if (magnitude > 0) ++raw_;  // its sign
    if (magnitude >= kExact) raw_ += digits - 1;
    ++total_;
  }

  // Of each value. By integer logarithms: they are the same everywhere.
  [[nodiscard]] double bits() const {
    if (total_ == 0) return 0;
    const auto log2 = [](uint32_t count) { return log2_fixed(count) / double{1 << kLog2Fraction}; };
    double known = 0;
    for (const uint32_t count : counts_) known += count * log2(count);
    return log2(total_) + (static_cast<double>(raw_) - known) / total_;
  }

 private:
  static constexpr uint32_t kExact = 256;
  std::array<uint32_t, kExact + 16> counts_{};
  uint64_t raw_ = 0;
  uint32_t total_ = 0;
};

}  // namespace

StepsChoice quantise_steps(std::span<const float> residuals, float step,
                           std::vector<int16_t>& steps) {
  steps.resize(residuals.size());
  Sums sums;
  for (size_t i = 0; i < residuals.size(); ++i) {
    const float residual = finite_or_zero(residuals[i]);
    const int32_t count = whole_steps(residual, step);
    steps[i] = static_cast<int16_t>(count);
    sums.add(residual, count);
  }
  if (sums.steps == 0) return {.scale = nearest_scale(step), .all_zero = true};
  return {.scale = nearest_scale(sums.both / sums.steps), .all_zero = false};
}

StepsEstimate estimate_steps(std::span<const float> residuals, float step) {
  if (residuals.empty()) return {};
  Sums sums;
  Histogram histogram;
  for (const float any : residuals) {
    const float residual = finite_or_zero(any);
    const int32_t count = whole_steps(residual, step);
    sums.add(residual, count);
    histogram.add(static_cast<uint32_t>(std::abs(count)));
  }
  const double saved = sums.steps == 0 ? 0 : sums.both * sums.both / sums.steps;
  return {.bits = histogram.bits(),
          .error = std::max(sums.residuals - saved, 0.0) / static_cast<double>(residuals.size())};
}

}  // namespace finedelta
