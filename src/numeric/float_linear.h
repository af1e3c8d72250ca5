// Products and sums of F32 numbers, given as bits, that every CPU computes alike. They are part of
// the archive format: docs/format.md, section 6.2.
//
// Only numbers of a safe range take part, and zeros: with factors that are allowed, every operand
// and every result is then a normal number or zero. So it makes no difference whether a CPU keeps
// subnormal numbers, and no NaN is ever made or passed on. What remains is rounding, to the nearest
// value, ties to the even one, which is any process's default.
#ifndef FINEDELTA_NUMERIC_FLOAT_LINEAR_H_
#define FINEDELTA_NUMERIC_FLOAT_LINEAR_H_

#include <bit>
#include <cstdint>

#include "numeric/float_cast.h"

namespace finedelta {

// Magnitudes from 2^-63 to under 2^64. A product has at least 2^-79 then; a sum that is not zero at
// least 2^-102, one unit in the last place of that.
inline constexpr uint32_t kSafeLeast = 64u << 23;
inline constexpr uint32_t kSafeEnd = 191u << 23;

// Factors of predictor "scaled": 0.5 <= factor < 2.
[[nodiscard]] constexpr bool is_scale(float factor) { return factor >= 0.5f && factor < 2; }

// Factors of predictor "combination": of either sign, 2^-16 <= |factor| <= 4.
[[nodiscard]] constexpr bool is_coefficient(float factor) {
  const float magnitude = factor < 0 ? -factor : factor;
  return magnitude >= 0x1p-16f && magnitude <= 4;
}

[[nodiscard]] constexpr bool is_safe_f32(uint32_t bits) {
  const uint32_t magnitude = bits & kF32Magnitude;
  return magnitude == 0 || (magnitude >= kSafeLeast && magnitude < kSafeEnd);
}

// factor * value, or `value` itself where that is not safe.
[[nodiscard]] constexpr uint32_t scaled_f32(uint32_t value, float factor) {
  if (!is_safe_f32(value)) return value;
  return std::bit_cast<uint32_t>(factor * std::bit_cast<float>(value));
}

// factors[0] * first + factors[1] * second, each product and the sum rounded; `first` itself where
// one of the two is not safe.
[[nodiscard]] constexpr uint32_t combined_f32(uint32_t first, uint32_t second,
                                              const float (&factors)[2]) {
  if (!is_safe_f32(first) || !is_safe_f32(second)) return first;
  const float one = factors[0] * std::bit_cast<float>(first);
  const float other = factors[1] * std::bit_cast<float>(second);
  return std::bit_cast<uint32_t>(one + other);
}

}  // namespace finedelta

#endif  // FINEDELTA_NUMERIC_FLOAT_LINEAR_H_
