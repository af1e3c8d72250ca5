#include "diff/tensor_tally.h"

#include <algorithm>
#include <cmath>

#include "diff/count_changed.h"
#include "numeric/float_layout.h"

namespace finedelta {

namespace {

double sum_of(const LaneSums& lanes) {
  double sum = 0;
  for (const double lane : lanes) sum += lane;
  return sum;
}

void add_counts(SpecialCounts& to, const SpecialCounts& other) {
  to.nans += other.nans;
  to.infinities += other.infinities;
}

NonFinite non_finite(const SpecialCounts& counts) {
  return {.nans = counts.nans, .infinities = counts.infinities};
}

std::optional<double> cosine_of(const NormSums& sums) {
  const double norms = std::sqrt(sums.base) * std::sqrt(sums.fine);
  if (!(norms > 0) || !std::isfinite(norms)) return std::nullopt;
  // Rounding must not make it more than 1.
  return std::clamp(sums.product / norms, -1.0, 1.0);
}

size_t mantissa_bits(DType dtype) {
  if (dtype == DType::kF64) return 52;
  return float_layout(dtype)->mantissa;
}

// From how many elements are at least 2^k steps away to how many are from 2^(k-1) to 2^k - 1.
std::vector<uint64_t> step_counts(uint64_t elements, const std::array<uint64_t, 64>& apart) {
  std::vector<uint64_t> steps;
  uint64_t left = elements;
  for (const uint64_t farther : apart) {
    steps.push_back(left - farther);
    left = farther;
    if (left == 0) break;
  }
  if (left > 0) steps.push_back(left);
  return steps;
}

}  // namespace

void NormSums::add(const NormSums& other) {
  base += other.base;
  fine += other.fine;
  delta += other.delta;
  product += other.product;
}

Norms NormSums::norms() const {
  return {.base = std::sqrt(base), .fine_tune = std::sqrt(fine), .delta = std::sqrt(delta)};
}

TensorTally TensorTally::of(DType dtype, Bytes base, Bytes fine) {
  TensorTally tally;
  if (!is_comparable_float(dtype)) {
    tally.changed = count_changed(dtype, base, fine);
    return tally;
  }
  compare_floats(dtype, base.data(), fine.data(), base.size() / dtype_unit(dtype), tally.floats);
  tally.changed = tally.floats.apart[0];
  const CompareSums& sums = tally.floats.sums;
  tally.sums = {.base = sum_of(sums.base),
                .fine = sum_of(sums.fine),
                .delta = sum_of(sums.delta),
                .product = sum_of(sums.product)};
  tally.largest = std::ranges::max(sums.largest);
  return tally;
}

void TensorTally::add(const TensorTally& other) {
  changed += other.changed;
  for (size_t b = 0; b < floats.bits.size(); ++b) {
    floats.bits[b] += other.floats.bits[b];
    floats.apart[b] += other.floats.apart[b];
  }
  add_counts(floats.base, other.floats.base);
  add_counts(floats.fine, other.floats.fine);
  sums.add(other.sums);
  largest = std::max(largest, other.largest);
}

FloatDiff TensorTally::report(DType dtype, uint64_t elements) const {
  const size_t bits = dtype_bits(dtype);
  const auto first = floats.bits.begin();
  const auto exponent = first + static_cast<std::ptrdiff_t>(mantissa_bits(dtype));
  const auto sign = first + static_cast<std::ptrdiff_t>(bits - 1);
  return {.norms = sums.norms(),
          .largest_delta = largest,
          .cosine = cosine_of(sums),
          .base = non_finite(floats.base),
          .fine_tune = non_finite(floats.fine),
          .mantissa_bits = {first, exponent},
          .exponent_bits = {exponent, sign},
          .sign_bit = *sign,
          .steps = step_counts(elements, floats.apart)};
}

}  // namespace finedelta
