#include "numeric/float_cast.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

#include "unit/float_samples.h"

namespace finedelta {
namespace {

// A 16-bit format, described only by its widths, and its values as exact doubles.
struct Format {
  const char* name;
  int mantissa_bits;
  int bias;
  uint16_t (*narrow)(uint32_t);
  uint32_t (*widen)(uint16_t);

  [[nodiscard]] uint32_t infinity() const { return 0x7FFFu >> mantissa_bits << mantissa_bits; }

  // The value of a positive pattern. One past the largest finite number, where infinity is, stands
  // for the next power of two: that is where rounding to infinity begins to be nearer.
  [[nodiscard]] double value(uint32_t pattern) const {
    const int exponent = static_cast<int>(pattern >> mantissa_bits);
    const int mantissa = static_cast<int>(pattern & ((1u << mantissa_bits) - 1));
    const int implied = exponent == 0 ? 0 : 1 << mantissa_bits;
    return std::ldexp(mantissa + implied, std::max(exponent, 1) - bias - mantissa_bits);
  }

  [[nodiscard]] uint32_t mantissa_mask() const { return (1u << mantissa_bits) - 1; }
};

constexpr Format kF16 = {"F16", 10, 15, f16_from_f32, f32_from_f16};
constexpr Format kBF16 = {"BF16", 7, 127, bf16_from_f32, f32_from_bf16};

// The nearest pattern by search and comparison of exact distances, without any bit of the value but
// its sign: doubles hold the values of all three formats and the distances between them.
uint32_t nearest(const Format& format, uint32_t bits) {
  const uint32_t sign = bits >> 16 & 0x8000;
  const uint32_t magnitude = bits & 0x7FFF'FFFF;
  if (magnitude > 0x7F80'0000) {
    const uint32_t kept = bits >> (23 - format.mantissa_bits) & format.mantissa_mask();
    const uint32_t quiet = (format.mantissa_mask() >> 1) + 1;
    return sign | format.infinity() | (kept == 0 ? quiet : kept);
  }
  if (magnitude == 0x7F80'0000) return sign | format.infinity();
  const double value = std::bit_cast<float>(magnitude);
  uint32_t below = 0;
  uint32_t above = format.infinity();
  if (value >= format.value(above)) return sign | above;
  while (above - below > 1) {
    const uint32_t middle = below + (above - below) / 2;
    (format.value(middle) <= value ? below : above) = middle;
  }
  const double to_below = value - format.value(below);
  const double to_above = format.value(above) - value;
  if (to_below == to_above) return sign | (below % 2 == 0 ? below : above);
  return sign | (to_below < to_above ? below : above);
}

class FloatCast : public testing::TestWithParam<Format> {};

std::string format_name(const testing::TestParamInfo<Format>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(Format, FloatCast, testing::Values(kF16, kBF16), format_name);

TEST_P(FloatCast, WideningIsExact) {
  for (uint32_t pattern = 0; pattern < 0x10000; ++pattern) {
    const uint32_t magnitude = pattern & 0x7FFF;
    const uint32_t wide = GetParam().widen(static_cast<uint16_t>(pattern));
    ASSERT_EQ(wide >> 31, pattern >> 15) << pattern;
    const uint32_t wide_magnitude = wide & 0x7FFF'FFFF;
    if (magnitude < GetParam().infinity()) {
      ASSERT_EQ(std::bit_cast<float>(wide_magnitude), GetParam().value(magnitude)) << pattern;
    } else {
      const uint32_t mantissa = pattern & GetParam().mantissa_mask();
      ASSERT_EQ(wide_magnitude, 0x7F80'0000 | mantissa << (23 - GetParam().mantissa_bits));
    }
  }
}

TEST_P(FloatCast, NarrowingUndoesWideningForEveryPattern) {
  for (uint32_t pattern = 0; pattern < 0x10000; ++pattern) {
    const uint32_t wide = GetParam().widen(static_cast<uint16_t>(pattern));
    ASSERT_EQ(GetParam().narrow(wide), pattern);
  }
}

TEST_P(FloatCast, NarrowingIsToTheNearestAndTiesToEven) {
  for (const uint32_t bits : float_samples()) {
    ASSERT_EQ(GetParam().narrow(bits), nearest(GetParam(), bits)) << std::hex << bits;
  }
}

static_assert(f16_from_f32(0x3F80'0000) == 0x3C00);                               // 1
static_assert(f16_from_f32(0x8000'0000) == 0x8000);                               // -0
static_assert(f16_from_f32(0x477F'EFFF) == 0x7BFF);                               // below 65520
static_assert(f16_from_f32(0x477F'F000) == 0x7C00);                               // 65520
static_assert(f16_from_f32(0x3300'0000) == 0 && f16_from_f32(0x3300'0001) == 1);  // 2^-25
static_assert(f16_from_f32(0x7F80'0001) == 0x7E00);                               // NaN, low bits
static_assert(f16_from_f32(0xFF80'2001) == 0xFC01);                               // NaN, high bits
static_assert(bf16_from_f32(0x3F80'8000) == 0x3F80);                              // tie to even
static_assert(bf16_from_f32(0x3F81'8000) == 0x3F82);                              // tie to even
static_assert(bf16_from_f32(0x7F7F'FFFF) == 0x7F80);                              // overflow
static_assert(bf16_from_f32(0x0000'8000) == 0 && bf16_from_f32(0x0000'8001) == 1);  // subnormal
static_assert(bf16_from_f32(0xFF80'FFFF) == 0xFFC0);                                // NaN, low bits
static_assert(bf16_from_f32(0x7F81'FFFF) == 0x7F81);  // NaN, high bits
static_assert(f32_from_f16(0x0001) == 0x3380'0000 && f32_from_f16(0x03FF) == 0x387F'C000);

}  // namespace
}  // namespace finedelta
