#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "base/hash.h"
#include "kernels/compare.h"
#include "kernels/compare_scalar.h"
#include "unit/exact_bytes.h"
#include "unit/on_every_target.h"
#include "unit/pseudo_random.h"

namespace finedelta {
namespace {

using testing::ElementsAre;

struct Kind {
  DType type;
  void (*reference)(const std::byte*, const std::byte*, size_t, FloatComparison&);
};

constexpr std::array<Kind, 4> kKinds = {{
    {DType::kF16, scalar::compare<scalar::F16>},
    {DType::kBF16, scalar::compare<scalar::BF16>},
    {DType::kF32, scalar::compare<scalar::F32>},
    {DType::kF64, scalar::compare<scalar::F64>},
}};

template <typename T>
Bytes view(const std::vector<T>& values) {
  return std::as_bytes(std::span(values));
}

FloatComparison compare(DType type, Bytes base, Bytes fine) {
  FloatComparison found;
  compare_floats(type, base.data(), fine.data(), base.size() / dtype_unit(type), found);
  return found;
}

// The exponents stay where squares neither vanish nor overflow: only F64 could leave that range.
void tame(DType type, std::vector<std::byte>& bytes) {
  if (type != DType::kF64) return;
  for (size_t i = 7; i < bytes.size(); i += 8) {
    bytes[i] = (bytes[i] & std::byte{0x80}) | std::byte{0x3F};
  }
}

// Every size of difference occurs, and every kind of number.
std::vector<std::byte> altered(DType type, const std::vector<std::byte>& base, uint64_t seed) {
  const unsigned unit = dtype_unit(type);
  const std::vector<std::byte> random = pseudo_random_bytes(base.size(), seed);
  std::vector<std::byte> fine = base;
  for (size_t i = 0; i < fine.size(); i += unit) {
    const auto keep = static_cast<unsigned>(random[i]) % (8 * unit + 1);
    for (unsigned b = 0; b < 8 * unit; ++b) {
      if (b < keep) continue;
      fine[i + b / 8] ^= random[i + b / 8] & static_cast<std::byte>(1u << b % 8);
    }
  }
  tame(type, fine);
  return fine;
}

void expect_equal(const FloatComparison& found, const FloatComparison& expected) {
  EXPECT_EQ(found.bits, expected.bits);
  EXPECT_EQ(found.apart, expected.apart);
  EXPECT_EQ(found.base.nans, expected.base.nans);
  EXPECT_EQ(found.base.infinities, expected.base.infinities);
  EXPECT_EQ(found.fine.nans, expected.fine.nans);
  EXPECT_EQ(found.fine.infinities, expected.fine.infinities);
  EXPECT_EQ(found.sums.base, expected.sums.base);
  EXPECT_EQ(found.sums.fine, expected.sums.fine);
  EXPECT_EQ(found.sums.delta, expected.sums.delta);
  EXPECT_EQ(found.sums.product, expected.sums.product);
  EXPECT_EQ(found.sums.largest, expected.sums.largest);
}

using CompareKernel = OnEveryTarget;
FINEDELTA_ON_EVERY_TARGET(CompareKernel);

TEST_P(CompareKernel, EqualsTheReference) {
  for (const Kind& kind : kKinds) {
    SCOPED_TRACE(dtype_name(kind.type));
    for (const size_t count : {0, 1, 2, 7, 8, 9, 1023, 1024, 1025, 5000, 1 << 17}) {
      std::vector<std::byte> base = pseudo_random_bytes(count * dtype_unit(kind.type), count);
      tame(kind.type, base);
      const ExactBytes x(base, 1);
      const ExactBytes y(altered(kind.type, base, count + 1), 3);
      FloatComparison expected;
      kind.reference(x.data(), y.data(), count, expected);
      FloatComparison found;
      compare_floats(kind.type, x.data(), y.data(), count, found);
      expect_equal(found, expected);
    }
  }
}

TEST_P(CompareKernel, EveryPairOfSomeSpecialNumbers) {
  const std::vector<uint16_t> numbers = {0,      1,      0x8000, 0x8001, 0x7F80, 0xFF80, 0x7FC0,
                                         0x7FFF, 0xFFFF, 0x3F80, 0xBF80, 0x007F, 0x0080, 0x7F7F,
                                         0xFF7F, 0x7C00, 0xFC00, 0x7BFF, 0xFBFF, 0x7C01, 0x03FF};
  std::vector<uint16_t> x;
  std::vector<uint16_t> y;
  for (const uint16_t one : numbers) {
    for (const uint16_t other : numbers) {
      x.push_back(one);
      y.push_back(other);
    }
  }
  for (const Kind& kind : {kKinds[0], kKinds[1]}) {
    FloatComparison expected;
    kind.reference(view(x).data(), view(y).data(), x.size(), expected);
    expect_equal(compare(kind.type, view(x), view(y)), expected);
  }
}

TEST_P(CompareKernel, AddsToWhatIsThere) {
  const std::vector<float> base = {1, 2, 3};
  const std::vector<float> fine = {1, 4, 2.5};
  FloatComparison found = compare(DType::kF32, view(base), view(fine));
  compare_floats(DType::kF32, view(base).data(), view(fine).data(), 3, found);
  EXPECT_EQ(found.apart[0], 4);
  EXPECT_THAT(found.sums.delta, ElementsAre(0, 8, 0.5, 0, 0, 0, 0, 0));
}

TEST_P(CompareKernel, TheMostElements) {
  for (const Kind& kind : kKinds) {
    const size_t size = kMostCompared * dtype_unit(kind.type);
    const std::vector<std::byte> base(size, std::byte{0});
    const std::vector<std::byte> fine(size, std::byte{0xFF});  // NaNs, all bits others
    const FloatComparison found = compare(kind.type, base, fine);
    for (size_t b = 0; b < dtype_bits(kind.type); ++b) {
      ASSERT_EQ(found.bits[b], kMostCompared) << b;
      ASSERT_EQ(found.apart[b], kMostCompared) << b;
    }
    EXPECT_EQ(found.fine.nans, kMostCompared);
  }
}

TEST(Compare, KnownNumbers) {
  // BF16: 1 and the next number; +0 and -0; 1 and -1; the same; infinity and a NaN; two NaNs.
  const std::vector<uint16_t> base = {0x3F80, 0x0000, 0x3F80, 0x4049, 0x7F80, 0x7FC0};
  const std::vector<uint16_t> fine = {0x3F81, 0x8000, 0xBF80, 0x4049, 0x7FC1, 0xFFC0};
  const FloatComparison found = compare(DType::kBF16, view(base), view(fine));
  EXPECT_EQ(found.bits[0], 2);   // the first and the fifth
  EXPECT_EQ(found.bits[6], 1);   // the fifth: a NaN has a mantissa
  EXPECT_EQ(found.bits[15], 3);  // the signs
  // Distances: 1, 1, 0x7F01, 0, 0x41, 0xFF81.
  EXPECT_EQ(found.apart[0], 5);
  EXPECT_EQ(found.apart[1], 3);
  EXPECT_EQ(found.apart[6], 3);
  EXPECT_EQ(found.apart[7], 2);
  EXPECT_EQ(found.apart[14], 2);
  EXPECT_EQ(found.apart[15], 1);
  EXPECT_EQ(found.base.infinities, 1);
  EXPECT_EQ(found.base.nans, 1);
  EXPECT_EQ(found.fine.infinities, 0);
  EXPECT_EQ(found.fine.nans, 2);
  EXPECT_THAT(found.sums.base, ElementsAre(1, 0, 1, 3.140625 * 3.140625, 0, 0, 0, 0));
  EXPECT_THAT(found.sums.product, ElementsAre(1.0078125, 0, -1, 3.140625 * 3.140625, 0, 0, 0, 0));
  EXPECT_THAT(found.sums.delta, ElementsAre(0x1p-14, 0, 4, 0, 0, 0, 0, 0));
  EXPECT_THAT(found.sums.largest, ElementsAre(0x1p-7, 0, 2, 0, 0, 0, 0, 0));
}

TEST(Compare, SubnormalNumbersCount) {
  const std::vector<float> base = {0x1p-149F, 0};
  const std::vector<float> fine = {0x1p-148F, -0x1p-149F};
  const FloatComparison found = compare(DType::kF32, view(base), view(fine));
  EXPECT_THAT(found.sums.base, ElementsAre(0x1p-298, 0, 0, 0, 0, 0, 0, 0));
  EXPECT_THAT(found.sums.largest, ElementsAre(0x1p-149, 0x1p-149, 0, 0, 0, 0, 0, 0));
  EXPECT_EQ(found.apart[0], 2);  // of 1 and 2 steps: -0 lies between +0 and the one below it
  EXPECT_EQ(found.apart[1], 1);
}

TEST(Compare, FloatsOf16To64Bits) {
  for (uint8_t type = 0; type < kDTypeCount; ++type) {
    const DType dtype{type};
    const bool expected = dtype == DType::kF16 || dtype == DType::kBF16 || dtype == DType::kF32 ||
                          dtype == DType::kF64;
    EXPECT_EQ(is_comparable_float(dtype), expected) << dtype_name(dtype);
  }
}

}  // namespace
}  // namespace finedelta
