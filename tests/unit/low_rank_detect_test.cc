#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "predict/low_rank/detect.h"
#include "support/float_types.h"
#include "unit/low_rank_matrices.h"

namespace finedelta {
namespace {

bool is_merged(Matrices& matrices) {
  const auto merged = looks_merged(matrices.pair());
  EXPECT_TRUE(merged.has_value());
  return merged.value_or(false);
}

std::vector<float> sum(std::vector<float> values, const std::vector<float>& others) {
  for (size_t i = 0; i < values.size(); ++i) values[i] += others[i];
  return values;
}

// A base and the same with a product of two narrow matrices, whose directions are about equal.
Matrices with_adapter(uint64_t rows, uint64_t columns, size_t rank, DType dtype) {
  const auto base = normal(rows * columns, 0.02f, 1);
  const auto left = normal(rank * rows, 1, 2);
  const auto right = normal(rank * columns, 0.001f / std::sqrt(static_cast<float>(rank)), 3);
  std::vector<float> fine = base;
  for (uint64_t i = 0; i < rows * columns; ++i) {
    for (size_t k = 0; k < rank; ++k) {
      fine[i] += left[k * rows + i / columns] * right[k * columns + i % columns];
    }
  }
  return {rows, columns, base, fine, dtype};
}

TEST(LowRankDetect, SeesAdapters) {
  for (const DType dtype : kCastableTypes) {
    for (const size_t rank : {1, 8, 32}) {
      for (const auto& [rows, columns] : {std::pair{300, 200}, {64, 2000}, {3000, 64}}) {
        auto matrices =
            with_adapter(static_cast<uint64_t>(rows), static_cast<uint64_t>(columns), rank, dtype);
        EXPECT_TRUE(is_merged(matrices)) << dtype_name(dtype) << " " << rank << " " << rows;
      }
    }
  }
}

TEST(LowRankDetect, SeesAnAdapterAboveSomeNoise) {
  auto matrices = with_adapter(300, 400, 4, DType::kF32);
  const auto noise = normal(300 * 400, 0.0002f, 9);
  for (size_t i = 0; i < noise.size(); ++i) {
    auto* value = matrices.fine.data() + i * sizeof(float);
    store(value, load<float>(value) + noise[i]);
  }
  EXPECT_TRUE(is_merged(matrices));
}

TEST(LowRankDetect, DoesNotSeeOneInWhatWasTrainedWhole) {
  for (const DType dtype : kCastableTypes) {
    const auto base = normal(300 * 400, 0.02f, 1);
    Matrices noise(300, 400, base, sum(base, normal(300 * 400, 0.001f, 2)), dtype);
    EXPECT_FALSE(is_merged(noise)) << dtype_name(dtype);
    Matrices unlike(300, 400, base, normal(300 * 400, 0.02f, 3), dtype);
    EXPECT_FALSE(is_merged(unlike)) << dtype_name(dtype);
    Matrices same(300, 400, base, base, dtype);
    EXPECT_FALSE(is_merged(same)) << dtype_name(dtype);
  }
}

TEST(LowRankDetect, DoesNotSeeAHighRank) {
  auto matrices = with_adapter(300, 400, 100, DType::kBF16);
  EXPECT_FALSE(is_merged(matrices));
}

// As of a token that was trained more than others. The spectrum has one step, and noise behind it.
TEST(LowRankDetect, OneLargeRowIsNoAdapter) {
  const auto base = normal(300 * 400, 0.02f, 1);
  auto trained = normal(300 * 400, 0.001f, 2);
  for (size_t i = 0; i < 400; ++i) trained[i] *= 20;
  Matrices matrices(300, 400, base, sum(base, trained), DType::kBF16);
  EXPECT_FALSE(is_merged(matrices));
}

TEST(LowRankDetect, ReadsFewRows) {
  auto matrices = with_adapter(3000, 50, 1, DType::kBF16);
  EXPECT_TRUE(is_merged(matrices));
  EXPECT_EQ(matrices.elements_read, 2u * 64 * 50);
}

TEST(LowRankDetect, PassesOnAnErrorOfReading) {
  auto matrices = with_adapter(20, 20, 1, DType::kF32);
  MatrixPair pair = matrices.pair();
  pair.read_fine = [](uint64_t, MutableBytes) { return fail(ErrorCode::kFailure, "no disk"); };
  const auto merged = looks_merged(pair);
  ASSERT_FALSE(merged.has_value());
  EXPECT_EQ(merged.error().message, "no disk");
}

}  // namespace
}  // namespace finedelta
