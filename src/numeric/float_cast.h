// Conversions between the bits of F16 (IEEE 754 binary16), BF16 (the upper half of binary32) and
// F32 (binary32), in integer arithmetic: the same on every CPU, in every rounding mode.
//
// They are part of the archive format. Widening is exact and keeps every bit of a NaN. Narrowing
// rounds to the nearest value, ties to the even one; values too large become infinity, subnormal
// numbers are kept on both sides, and the sign is always kept, that of zero too. A NaN is narrowed
// by dropping its low mantissa bits; where the bits that stay are all zero, the highest of them
// (the quiet bit) is set, so that it does not become infinity. It follows that widening and then
// narrowing gives back every 16-bit pattern.
//
// Rounding: adding (half a unit - 1) and the lowest bit that stays, then dropping the rest, is
// round-to-nearest-even; the carry runs into the exponent, up to infinity, as it should.
#ifndef FINEDELTA_NUMERIC_FLOAT_CAST_H_
#define FINEDELTA_NUMERIC_FLOAT_CAST_H_

#include <algorithm>
#include <bit>
#include <cstdint>

namespace finedelta {

inline constexpr uint32_t kF32Magnitude = 0x7FFF'FFFF;
inline constexpr uint32_t kF32Infinity = 0x7F80'0000;

inline constexpr uint32_t kF16Infinity = 0x7C00;
inline constexpr uint32_t kF16Mantissa = 0x3FF;
inline constexpr uint32_t kF16QuietBit = 0x200;
inline constexpr uint32_t kBF16Mantissa = 0x7F;
inline constexpr uint32_t kBF16QuietBit = 0x40;

// What lies between the exponents of F16 (bias 15) and F32 (bias 127), in place in an F32.
inline constexpr uint32_t kF16Rebias = (127 - 15) << 23;
// The smallest normal F16, 2^-14, and the first power of two above all F16, 2^16, as F32.
inline constexpr uint32_t kF16SmallestNormal = 0x3880'0000;
inline constexpr uint32_t kF16Overflow = 0x4780'0000;

[[nodiscard]] constexpr uint32_t f32_from_bf16(uint16_t value) { return uint32_t{value} << 16; }

[[nodiscard]] constexpr uint16_t bf16_from_f32(uint32_t value) {
  uint32_t kept = value >> 16;
  if ((value & kF32Magnitude) > kF32Infinity) {
    if ((kept & kBF16Mantissa) == 0) kept |= kBF16QuietBit;
    return static_cast<uint16_t>(kept);
  }
  return static_cast<uint16_t>((value + 0x7FFF + (kept & 1)) >> 16);
}

[[nodiscard]] constexpr uint32_t f32_from_f16(uint16_t value) {
  const uint32_t sign = (value & 0x8000u) << 16;
  const uint32_t magnitude = value & 0x7FFFu;
  if (magnitude >= kF16Infinity) return sign | kF32Infinity | magnitude << 13;
  if (magnitude > kF16Mantissa) return sign | ((magnitude << 13) + kF16Rebias);
  if (magnitude == 0) return sign;
  // A subnormal number is magnitude * 2^-24: its highest bit becomes the implied one.
  const auto highest = static_cast<uint32_t>(std::bit_width(magnitude)) - 1;
  return sign | (((127 - 24 - 1 + highest) << 23) + (magnitude << (23 - highest)));
}

[[nodiscard]] constexpr uint16_t f16_from_f32(uint32_t value) {
  const uint32_t sign = value >> 16 & 0x8000;
  const uint32_t magnitude = value & kF32Magnitude;
  if (magnitude > kF32Infinity) {
    const uint32_t kept = magnitude >> 13 & kF16Mantissa;
    return static_cast<uint16_t>(sign | kF16Infinity | (kept == 0 ? kF16QuietBit : kept));
  }
  if (magnitude >= kF16SmallestNormal) {
    const uint32_t capped = std::min(magnitude, kF16Overflow) - kF16Rebias;
    return static_cast<uint16_t>(sign | (capped + 0xFFF + (capped >> 13 & 1)) >> 13);
  }
  // The result counts units of 2^-24: the mantissa with its implied bit, shifted down. From a shift
  // of 25 on everything rounds to zero.
  const uint32_t mantissa = (magnitude & 0x7F'FFFF) | 0x80'0000;
  const uint32_t shift = std::min(126 - (magnitude >> 23), 25u);
  const uint32_t half = 1u << (shift - 1);
  return static_cast<uint16_t>(sign | (mantissa + half - 1 + (mantissa >> shift & 1)) >> shift);
}

}  // namespace finedelta

#endif  // FINEDELTA_NUMERIC_FLOAT_CAST_H_
