#include "coder/steps/quantise.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <numbers>
#include <utility>

#include "kernels/low_rank.h"
#include "numeric/log2.h"

namespace finedelta {

namespace {

constexpr float kLargest = kLargestLowRankFactor;

float finite_or_zero(float residual) {
  return std::abs(residual) <= std::numeric_limits<float>::max() ? residual : 0.0f;
}

double log2_of(uint64_t count) {
  return static_cast<double>(log2_fixed(static_cast<uint32_t>(count))) / (1 << kLog2Fraction);
}

// How residuals become numbers. A step more takes more bits than the squared error that it saves is
// worth, above all the first one, the more so the rarer it is: where it brings a residual nearer by
// d steps, what it saves is worth 12 d^2 / (2 ln 2) bits, at the trade-off of fine steps.
class Rounding {
 public:
  explicit Rounding(const StepsInput& input) : step_(input.step) {
    for (int i = 0; i < kAttempts; ++i) least_ = least_for(input.residuals);
  }

  [[nodiscard]] int32_t whole_steps(float residual) const {
    const float steps = std::abs(residual) / step_;
    if (!(steps >= least_)) return 0;
    const float whole = std::clamp(steps + kRounding, 1.0f, kLargest);
    return static_cast<int32_t>(std::copysign(whole, residual));  // rounds towards zero
  }

 private:
  static constexpr int kAttempts = 3;
  static constexpr float kRounding = 0.4f;  // of all but the first
  static constexpr double kOfABit = 2 * std::numbers::ln2 / 12;

  // From where on the first step is worth its sign and being another than most.
  [[nodiscard]] float least_for(std::span<const float> residuals) const {
    const float least = least_ * step_;
    uint64_t others = 1;
    for (const float residual : residuals) {
      others += std::abs(finite_or_zero(residual)) >= least ? 1 : 0;
    }
    const uint64_t zeros = residuals.size() + 2 - others;
    const double bits = 1 + std::max(log2_of(zeros) - log2_of(others), 0.0);
    return static_cast<float>((1 + kOfABit * bits) / 2);
  }

  const float step_;
  float least_ = 0.6f;
};

// Of residuals r, row by row, and their numbers of steps q, in their order. With the scale c and m
// for `missing`, the error is the sum over rows of
//   m <r, r - c q>^2 / <r, r> + c^2 (<q, q> - <r, q>^2 / <r, r>),
// the first part along the row's residuals, the second across them.
class Sums {
 public:
  explicit Sums(const StepsInput& input)
      : missing_(input.missing), columns_(input.columns), column_(input.first) {}

  void add(float residual, int32_t count) {
    both_ += double{residual} * count;
    steps_ += static_cast<double>(count) * count;
    residuals_ += double{residual} * residual;
    if (++column_ == columns_) end_row();
  }
  void end_row() {
    column_ = 0;
    if (residuals_ > 0) along_ += both_ * both_ / residuals_;
    all_both_ += std::exchange(both_, 0);
    all_steps_ += std::exchange(steps_, 0);
    all_residuals_ += std::exchange(residuals_, 0);
  }

  // The rest after the last end_row.
  [[nodiscard]] bool all_zero() const { return all_steps_ == 0; }
  [[nodiscard]] double best_scale() const { return missing_ * all_both_ / bent(); }
  [[nodiscard]] double least_error() const {
    if (all_zero()) return all_residuals_;
    return std::max(all_residuals_ - missing_ * all_both_ * all_both_ / bent(), 0.0);
  }
  [[nodiscard]] double captured() const { return all_zero() ? 0 : best_scale() * all_both_; }

 private:
  [[nodiscard]] double bent() const { return (missing_ - 1) * along_ + all_steps_; }

  const double missing_;
  const uint64_t columns_;
  uint64_t column_;
  double both_ = 0;  // of the row
  double steps_ = 0;
  double residuals_ = 0;
  double all_both_ = 0;
  double all_steps_ = 0;
  double all_residuals_ = 0;
  double along_ = 0;
};

float nearest_scale(double wanted) {
  // In F32 already, so that it is rounded the same everywhere.
  return std::clamp(static_cast<float>(std::min(wanted, 0x1p63)), 0x1p-100f, 0x1p63f);
}

// How often each magnitude comes. Of large ones, how often each number of digits does.
class MagnitudeCounts {
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
    double known = 0;
    for (const uint32_t count : counts_) known += count * log2_of(count);
    return log2_of(total_) + (static_cast<double>(raw_) - known) / total_;
  }

 private:
  static constexpr uint32_t kExact = 256;
  std::array<uint32_t, kExact + 16> counts_{};
  uint64_t raw_ = 0;
  uint32_t total_ = 0;
};

}  // namespace

StepsChoice quantise_steps(const StepsInput& input, std::vector<int16_t>& steps) {
  steps.resize(input.residuals.size());
  const Rounding rounding(input);
  Sums sums(input);
  for (size_t i = 0; i < steps.size(); ++i) {
    const float residual = finite_or_zero(input.residuals[i]);
    const int32_t count = rounding.whole_steps(residual);
    steps[i] = static_cast<int16_t>(count);
    sums.add(residual, count);
  }
  sums.end_row();
  if (sums.all_zero()) return {.scale = nearest_scale(input.step), .all_zero = true};
  return {.scale = nearest_scale(sums.best_scale()), .all_zero = false};
}

StepsEstimate estimate_steps(const StepsInput& input) {
  if (input.residuals.empty()) return {};
  const Rounding rounding(input);
  Sums sums(input);
  MagnitudeCounts histogram;
  for (const float any : input.residuals) {
    const float residual = finite_or_zero(any);
    const int32_t count = rounding.whole_steps(residual);
    sums.add(residual, count);
    histogram.add(static_cast<uint32_t>(std::abs(count)));
  }
  sums.end_row();
  const auto size = static_cast<double>(input.residuals.size());
  return {.bits = histogram.bits(),
          .error = sums.least_error() / size,
          .captured = sums.captured() / size};
}

}  // namespace finedelta
