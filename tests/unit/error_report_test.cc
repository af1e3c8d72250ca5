#include "lossy/error_report.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "support/float_types.h"
#include "unit/low_rank_matrices.h"

namespace finedelta {
namespace {

Bytes bytes_of(const std::vector<float>& values) { return std::as_bytes(std::span(values)); }

ErrorSums sums_of(const std::vector<float>& fine, const std::vector<float>& lossy,
                  const std::vector<float>& base) {
  ErrorSums sums;
  sums.add(DType::kF32, bytes_of(fine), bytes_of(lossy), bytes_of(base));
  return sums;
}

void expect_equal(const ErrorReport& a, const ErrorReport& b) {
  EXPECT_EQ(a.relative_error, b.relative_error);
  EXPECT_EQ(a.largest_error, b.largest_error);
  EXPECT_EQ(a.cosine, b.cosine);
  EXPECT_EQ(a.sign_agreement, b.sign_agreement);
  EXPECT_EQ(a.zeros, b.zeros);
}

TEST(ErrorReport, OfAFewNumbers) {
  // Deltas 3, -4, 0, 0 that came out as 3, 4, 0, 1: the error is 8 and 1.
  const ErrorReport report = sums_of({4, -3, 1, 1}, {4, 5, 1, 2}, {1, 1, 1, 1}).report();
  EXPECT_FLOAT_EQ(report.relative_error, std::sqrt(65.0f / 25));
  EXPECT_EQ(report.largest_error, 8);
  EXPECT_FLOAT_EQ(report.cosine, (9.0f - 16) / std::sqrt(25.0f * 26));
  EXPECT_EQ(report.sign_agreement, 0.5f);
  EXPECT_EQ(report.zeros, 0.25f);
}

TEST(ErrorReport, OfWhatIsExact) {
  expect_equal(sums_of({2, 3}, {2, 3}, {1, 1}).report(),
               {.relative_error = 0, .largest_error = 0, .cosine = 1, .sign_agreement = 1});
}

TEST(ErrorReport, OfTheBaseInsteadOfTheFineTune) {
  expect_equal(
      sums_of({2, 1}, {1, 1}, {1, 1}).report(),
      {.relative_error = 1, .largest_error = 1, .cosine = 0, .sign_agreement = 0, .zeros = 1});
}

TEST(ErrorReport, OfNothingThatChanged) {
  const ErrorReport all = {
      .relative_error = 0, .largest_error = 0, .cosine = 1, .sign_agreement = 1, .zeros = 1};
  expect_equal(ErrorSums().report(), all);
  expect_equal(sums_of({}, {}, {}).report(), all);
  expect_equal(sums_of({1}, {1}, {1}).report(), all);
}

// Of one value alone each: the element does not count.
TEST(ErrorReport, NumbersThatAreNotFiniteDoNotCount) {
  const ErrorReport expected = sums_of({4, -3}, {4, 5}, {1, 1}).report();
  for (const float odd : {kNaN, kInfinity, -kInfinity}) {
    expect_equal(sums_of({4, odd, -3}, {4, 1, 5}, {1, 1, 1}).report(), expected);
    expect_equal(sums_of({4, 9, -3}, {4, odd, 5}, {1, 1, 1}).report(), expected);
    expect_equal(sums_of({4, 9, -3}, {4, 1, 5}, {1, odd, 1}).report(), expected);
  }
}

// More elements than are widened at a time, whole and in pieces that are added in their order.
TEST(ErrorReport, PiecesAddUp) {
  constexpr size_t kCount = 20'000;
  const auto base = normal(kCount, 1, 1);
  auto fine = base, lossy = base;
  const auto delta = normal(kCount, 0.1f, 2), error = normal(kCount, 0.05f, 3);
  for (size_t i = 0; i < kCount; ++i) {
    fine[i] += delta[i];
    lossy[i] = fine[i] + error[i];
  }
  const ErrorReport whole = sums_of(fine, lossy, base).report();
  EXPECT_NEAR(whole.relative_error, 0.5, 0.02);
  for (const size_t piece : {1000, 4096, 7777}) {
    ErrorSums total;
    for (size_t at = 0; at < kCount; at += piece) {
      const size_t size = std::min(piece, kCount - at);
      const auto part = [&](const std::vector<float>& values) {
        return bytes_of(values).subspan(4 * at, 4 * size);
      };
      ErrorSums sums;
      sums.add(DType::kF32, part(fine), part(lossy), part(base));
      total.add(sums);
    }
    const ErrorReport report = total.report();
    EXPECT_NEAR(report.relative_error, whole.relative_error, 1e-6);
    EXPECT_EQ(report.largest_error, whole.largest_error);
    EXPECT_NEAR(report.cosine, whole.cosine, 1e-6);
    EXPECT_EQ(report.sign_agreement, whole.sign_agreement);
    EXPECT_EQ(report.zeros, whole.zeros);
  }
}

TEST(ErrorReport, OfHalfPrecisionToo) {
  for (const DType dtype : {DType::kBF16, DType::kF16}) {
    const Matrices matrices(1, 3, {1, 1, 1}, {3, 1, 0.5f}, dtype);
    ErrorSums sums;
    sums.add(dtype, matrices.fine, matrices.converted({2, 1, 0.5f}), matrices.base);
    const ErrorReport report = sums.report();
    EXPECT_FLOAT_EQ(report.relative_error, std::sqrt(1 / 4.25f));
    EXPECT_EQ(report.largest_error, 1);
    EXPECT_EQ(report.sign_agreement, 1);
    EXPECT_FLOAT_EQ(report.zeros, 1.0f / 3);
  }
}

TEST(ErrorReport, ErrorsAreStoredRoundedUp) {
  const auto stored = [](float error) {
    return pack_report({.relative_error = error, .largest_error = error});
  };
  EXPECT_EQ(stored(0), (StoredReport{0, 0, 32768, 0, 0}));
  EXPECT_EQ(stored(1)[0], 0x3F80);
  EXPECT_EQ(stored(std::nextafter(1.0f, 2.0f))[0], 0x3F81);
  EXPECT_EQ(stored(std::numeric_limits<float>::denorm_min())[1], 1);
  EXPECT_EQ(stored(std::numeric_limits<float>::max())[1], 0x7F80);
  EXPECT_EQ(stored(kInfinity)[1], 0x7F80);
  EXPECT_EQ(pack_report({.cosine = -1})[2], 0);
  EXPECT_EQ(pack_report({.cosine = 1, .sign_agreement = 1, .zeros = 0.5f}),
            (StoredReport{0, 0, 65535, 65535, 32768}));
}

TEST(ErrorReport, WhatIsStoredIsReadAndWrittenAgain) {
  for (unsigned number = 0; number <= 65535; ++number) {
    const auto share = static_cast<uint16_t>(number);
    const auto error = static_cast<uint16_t>(std::min(number, 0x7F80u));
    const StoredReport stored = {error, error, share, share, share};
    const auto report = unpack_report(stored);
    ASSERT_TRUE(report.has_value());
    ASSERT_EQ(pack_report(*report), stored);
    EXPECT_EQ(unpack_report({share, 0, 0, 0, 0}).has_value(), number <= 0x7F80);
    EXPECT_EQ(unpack_report({0, share, 0, 0, 0}).has_value(), number <= 0x7F80);
  }
}

}  // namespace
}  // namespace finedelta
