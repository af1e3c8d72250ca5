#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <span>
#include <vector>

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

#include "base/hash.h"
#include "kernels/cast.h"
#include "kernels/linear.h"
#include "kernels/linear_scalar.h"
#include "support/float_types.h"
#include "unit/float_samples.h"
#include "unit/on_every_target.h"

namespace finedelta {
namespace {

constexpr float kScales[] = {0.5f, 0x1.fffffep-1f, 1.0f, 0x1.000002p0f, 0.7f, 1.3f, 0x1.fffffep0f};

constexpr std::array<float, 2> kFactors[] = {{0.5f, 0.5f},  {0.3f, 0.7f},          {1.0f, -1.0f},
                                             {-4.0f, 4.0f}, {0x1p-16f, -0x1p-16f}, {1.7f, -0.7f}};

// All the special ones and as many others: three types and all factors would take long otherwise.
constexpr size_t kF32Samples = size_t{1} << 18;

// All patterns of a 16-bit type, or the samples of F32, from element `from` on, then round again.
std::vector<std::byte> operands_of(DType type, size_t from = 0) {
  std::vector<std::byte> bytes;
  if (type == DType::kF32) {
    const auto view = std::as_bytes(std::span(float_samples()).first(kF32Samples));
    bytes.assign(view.begin(), view.end());
  } else {
    ByteWriter writer;
    for (uint32_t pattern = 0; pattern < 0x10000; ++pattern) {
      writer.u16(static_cast<uint16_t>(pattern));
    }
    bytes = writer.take();
  }
  std::ranges::rotate(bytes, bytes.begin() + static_cast<ptrdiff_t>(from * dtype_unit(type)));
  return bytes;
}

// The same numbers, one by one: widened, computed with, narrowed.
uint32_t widened(DType type, Bytes in, size_t i) {
  if (type == DType::kF16) return scalar::load_wide<scalar::F16>(in.data(), i);
  if (type == DType::kBF16) return scalar::load_wide<scalar::BF16>(in.data(), i);
  return scalar::load_wide<scalar::F32>(in.data(), i);
}

void put(DType type, uint32_t wide, ByteWriter& out) {
  if (type == DType::kF16) return out.u16(f16_from_f32(wide));
  if (type == DType::kBF16) return out.u16(bf16_from_f32(wide));
  out.u32(wide);
}

std::vector<std::byte> scaled(DType from, Bytes in, float factor, DType to) {
  const size_t count = in.size() / dtype_unit(from);
  std::vector<std::byte> out(count * dtype_unit(to));
  scale_elements({from, in.data()}, factor, count, to, out.data());
  return out;
}

std::vector<std::byte> scaled_slowly(DType from, Bytes in, float factor, DType to) {
  ByteWriter out;
  for (size_t i = 0; i < in.size() / dtype_unit(from); ++i) {
    put(to, scaled_f32(widened(from, in, i), factor), out);
  }
  return out.take();
}

struct Parents {
  DType first_type;
  std::vector<std::byte> first;
  DType second_type;
  std::vector<std::byte> second;

  [[nodiscard]] size_t count() const {
    return std::min(first.size() / dtype_unit(first_type), second.size() / dtype_unit(second_type));
  }
};

std::vector<std::byte> combined(const Parents& parents, const float (&factors)[2], DType to) {
  std::vector<std::byte> out(parents.count() * dtype_unit(to));
  combine_elements({parents.first_type, parents.first.data()},
                   {parents.second_type, parents.second.data()}, factors, parents.count(), to,
                   out.data());
  return out;
}

std::vector<std::byte> combined_slowly(const Parents& parents, const float (&factors)[2],
                                       DType to) {
  ByteWriter out;
  for (size_t i = 0; i < parents.count(); ++i) {
    const uint32_t first = widened(parents.first_type, parents.first, i);
    const uint32_t second = widened(parents.second_type, parents.second, i);
    put(to, combined_f32(first, second, factors), out);
  }
  return out.take();
}

// Doubles hold every product of two floats exactly, and have digits enough that rounding a sum
// twice is rounding it once.
uint32_t rounded(double exact) { return std::bit_cast<uint32_t>(static_cast<float>(exact)); }

bool is_normal_or_zero(uint32_t bits) {
  const uint32_t exponent = bits >> 23 & 0xFF;
  return (bits & kF32Magnitude) == 0 || (exponent > 0 && exponent < 255);
}

TEST(FloatLinear, ScalingIsTheExactProductRoundedOnce) {
  for (const float factor : kScales) {
    for (const uint32_t bits : float_samples()) {
      const uint32_t result = scaled_f32(bits, factor);
      if (!is_safe_f32(bits)) {
        ASSERT_EQ(result, bits);
        continue;
      }
      ASSERT_EQ(result, rounded(double{factor} * std::bit_cast<float>(bits))) << std::hex << bits;
      ASSERT_TRUE(is_normal_or_zero(result)) << std::hex << bits;
    }
  }
}

TEST(FloatLinear, ASumIsTwoProductsAndTheirSumEachRoundedOnce) {
  const std::vector<uint32_t>& samples = float_samples();
  for (const auto& [a, b] : kFactors) {
    for (size_t i = 0; i < samples.size(); ++i) {
      const uint32_t first = samples[i];
      // Now and then all but equal, so that little is left of the sum.
      const uint32_t second =
          i % 4 == 0 ? first ^ static_cast<uint32_t>(i % 3) : samples[(i * 7) % samples.size()];
      const uint32_t result = combined_f32(first, second, {a, b});
      if (!is_safe_f32(first) || !is_safe_f32(second)) {
        ASSERT_EQ(result, first);
        continue;
      }
      const double one = std::bit_cast<float>(rounded(double{a} * std::bit_cast<float>(first)));
      const double other = std::bit_cast<float>(rounded(double{b} * std::bit_cast<float>(second)));
      ASSERT_EQ(result, rounded(one + other)) << std::hex << first << ' ' << second;
      ASSERT_TRUE(is_normal_or_zero(result)) << std::hex << first << ' ' << second;
    }
  }
}

TEST(FloatLinear, TheRangeIsSafe) {
  constexpr uint32_t kSign = 0x8000'0000;
  for (const uint32_t sign : {0u, kSign}) {
    EXPECT_TRUE(is_safe_f32(sign));
    EXPECT_TRUE(is_safe_f32(sign | kSafeLeast));
    EXPECT_FALSE(is_safe_f32(sign | (kSafeLeast - 1)));
    EXPECT_TRUE(is_safe_f32(sign | (kSafeEnd - 1)));
    EXPECT_FALSE(is_safe_f32(sign | kSafeEnd));
    EXPECT_FALSE(is_safe_f32(sign | 1));
    EXPECT_FALSE(is_safe_f32(sign | kF32Infinity));
  }
  EXPECT_EQ(combined_f32(0, kSign, {1, 1}), 0u);
  EXPECT_EQ(combined_f32(kSign, kSign, {1, 1}), kSign);
  EXPECT_EQ(combined_f32(0x3F80'0000, 0x3F80'0000, {-1, 1}), 0u);
}

TEST(FloatLinear, Factors) {
  const float nan = std::bit_cast<float>(0x7FC0'0000u);
  for (const float good : {0.5f, 1.0f, 0x1.fffffep0f}) EXPECT_TRUE(is_scale(good)) << good;
  for (const float bad : {0.0f, -0.0f, -1.0f, 2.0f, 0x1.fffffep-2f, 1e-45f, INFINITY, nan, -nan}) {
    EXPECT_FALSE(is_scale(bad)) << bad;
  }
  for (const float good : {0x1p-16f, 4.0f, 0.5f}) {
    EXPECT_TRUE(is_coefficient(good) && is_coefficient(-good)) << good;
  }
  for (const float bad : {0.0f, 1e-45f, 0x1.fffffep-17f, 0x1.000002p2f, INFINITY, nan}) {
    EXPECT_FALSE(is_coefficient(bad) || is_coefficient(-bad)) << bad;
  }
}

using LinearKernelTarget = OnEveryTarget;
FINEDELTA_ON_EVERY_TARGET(LinearKernelTarget);

TEST_P(LinearKernelTarget, ScalingEqualsTheReferenceOnEverySample) {
  Hasher128 all;
  for (const DType from : kCastableTypes) {
    const auto in = operands_of(from);
    for (const DType to : kCastableTypes) {
      for (const float factor : kScales) {
        const auto out = scaled(from, in, factor, to);
        all.update(out);
        ASSERT_TRUE(out == scaled_slowly(from, in, factor, to))
            << dtype_name(from) << " to " << dtype_name(to) << " by " << factor;
      }
    }
  }
  EXPECT_EQ(to_hex(all.digest().bytes), "12e42aa7d662a575745767f599285f0d");
}

TEST_P(LinearKernelTarget, CombiningEqualsTheReferenceOnManySamples) {
  Hasher128 all;
  for (const DType first : kCastableTypes) {
    for (const DType second : kCastableTypes) {
      const Parents parents = {first, operands_of(first), second, operands_of(second, 12345)};
      for (const DType to : kCastableTypes) {
        for (const auto& [a, b] : kFactors) {
          const auto out = combined(parents, {a, b}, to);
          all.update(out);
          ASSERT_TRUE(out == combined_slowly(parents, {a, b}, to))
              << dtype_name(first) << " and " << dtype_name(second) << " to " << dtype_name(to);
        }
      }
    }
  }
  EXPECT_EQ(to_hex(all.digest().bytes), "6a9f375d512a9d176506fa98c68c46f7");
}

TEST_P(LinearKernelTarget, EveryTailAndAlignment) {
  constexpr std::byte kGuard{0xA5};
  const auto samples = operands_of(DType::kBF16, 3000);
  for (const DType to : kCastableTypes) {
    for (size_t count = 0; count <= 200; ++count) {
      const std::byte* const in = samples.data() + 1 + count % 7;
      const Parents parents = {
          DType::kBF16, {in, in + 2 * count}, DType::kBF16, {in + 1000, in + 1000 + 2 * count}};
      const auto expected = combined_slowly(parents, {0.3f, 0.7f}, to);
      const auto expected_scaled = scaled_slowly(DType::kBF16, parents.first, 0.9f, to);
      const size_t begin = 1 + count % 5;
      std::vector<std::byte> out(begin + expected.size() + 64, kGuard);
      std::vector<std::byte> out_scaled = out;
      combine_elements({DType::kBF16, in}, {DType::kBF16, in + 1000}, {0.3f, 0.7f}, count, to,
                       out.data() + begin);
      scale_elements({DType::kBF16, in}, 0.9f, count, to, out_scaled.data() + begin);
      for (size_t i = 0; i < out.size(); ++i) {
        const bool inside = i >= begin && i - begin < expected.size();
        ASSERT_EQ(out[i], inside ? expected[i - begin] : kGuard) << count << " at " << i;
        ASSERT_EQ(out_scaled[i], inside ? expected_scaled[i - begin] : kGuard) << count;
      }
    }
  }
}

#if defined(__SSE__)
// A host program may have told its threads to take subnormal numbers for zero.
TEST_P(LinearKernelTarget, SubnormalNumbersTakenForZeroChangeNothing) {
  constexpr unsigned kFlushAndDenormalsAreZero = 0x8040;
  const auto in = operands_of(DType::kF32);
  const Parents parents = {DType::kF32, in, DType::kF32, operands_of(DType::kF32, 12345)};
  const auto scaled_before = scaled(DType::kF32, in, 0.7f, DType::kF16);
  const auto combined_before = combined(parents, {0x1p-16f, -0x1p-16f}, DType::kF32);
  const unsigned before = _mm_getcsr();
  _mm_setcsr(before | kFlushAndDenormalsAreZero);
  const auto scaled_after = scaled(DType::kF32, in, 0.7f, DType::kF16);
  const auto combined_after = combined(parents, {0x1p-16f, -0x1p-16f}, DType::kF32);
  _mm_setcsr(before);
  EXPECT_TRUE(scaled_after == scaled_before);
  EXPECT_TRUE(combined_after == combined_before);
}
#endif

}  // namespace
}  // namespace finedelta
