#include "numeric/log2.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace finedelta {
namespace {

constexpr double kBound = 4;  // units of 2^-16

void expect_near_log2(uint32_t x) {
  ASSERT_NEAR(log2_fixed(x), std::log2(x) * (1 << kLog2Fraction), kBound) << x;
}

TEST(Log2, PowersOfTwoAreExact) {
  for (uint32_t bit = 0; bit < 32; ++bit) {
    EXPECT_EQ(log2_fixed(uint32_t{1} << bit), bit << kLog2Fraction);
  }
}

TEST(Log2, OfZeroIsZero) { EXPECT_EQ(log2_fixed(0), 0u); }

TEST(Log2, IsWithinItsBound) {
  for (uint32_t x = 1; x < uint32_t{1} << 20; ++x) {
    ASSERT_NO_FATAL_FAILURE(expect_near_log2(x));
  }
  std::mt19937 engine(1);
  for (int i = 0; i < 1'000'000; ++i) {
    const auto x = static_cast<uint32_t>(engine()) >> engine() % 20;
    if (x == 0) continue;
    ASSERT_NO_FATAL_FAILURE(expect_near_log2(x));
  }
  ASSERT_NO_FATAL_FAILURE(expect_near_log2(~uint32_t{0}));
}

TEST(Log2, NeverFalls) {
  for (uint32_t x = 1; x < uint32_t{1} << 20; ++x) ASSERT_LE(log2_fixed(x), log2_fixed(x + 1)) << x;
  for (uint32_t x = ~uint32_t{0} - 100'000; x < ~uint32_t{0}; ++x) {
    ASSERT_LE(log2_fixed(x), log2_fixed(x + 1)) << x;
  }
}

TEST(Log2, IsTheSameAtCompileTime) {
  static_assert(log2_fixed(3) == 103872);
  volatile uint32_t three = 3;
  EXPECT_EQ(log2_fixed(three), 103872u);
}

}  // namespace
}  // namespace finedelta
