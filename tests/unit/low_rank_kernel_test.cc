#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <random>
#include <vector>

#include "base/hash.h"
#include "kernels/low_rank.h"
#include "kernels/low_rank_scalar.h"
#include "support/float_types.h"
#include "unit/float_samples.h"
#include "unit/on_every_target.h"
#include "unit/pseudo_random.h"

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace finedelta {
namespace {

// Factors as large as the bound on their sum allows, with many zeros among them.
std::vector<int16_t> random_factors(size_t rank, size_t length, uint64_t seed) {
  std::mt19937_64 engine(seed);
  const int largest = rank <= 2 ? 30000 / static_cast<int>(rank) : 46000 / static_cast<int>(rank);
  std::vector<int16_t> factors(rank * length);
  for (int16_t& value : factors) {
    const uint64_t random = engine();
    const int wanted = static_cast<int>(random >> 8 & 0x7FFFFFFF) % (2 * largest + 1) - largest;
    value = static_cast<int16_t>(random % 4 == 0 ? 0 : wanted);
  }
  return factors;
}

struct Matrix {
  Matrix(size_t rows, size_t columns, size_t rank, float scale, uint64_t seed)
      : left(pack_left(random_factors(rank, rows, seed), rows)),
        right(pack_right(random_factors(rank, columns, seed + 1), columns)),
        product{.columns = columns,
                .pairs = (rank + 1) / 2,
                .scale = scale,
                .left = left.data(),
                .right = right.data(),
                .stride = columns + kLowRankPadding} {}
  std::vector<int32_t> left;
  std::vector<int32_t> right;
  LowRankProduct product;
};

std::vector<std::byte> reference(DType type, const LowRankProduct& product, uint64_t first,
                                 Bytes base) {
  std::vector<std::byte> out(base.size());
  const size_t count = base.size() / dtype_unit(type);
  const auto add = [&]<class Type>() {
    scalar::add_low_rank<Type>(product, first, count, base.data(), out.data());
  };
  if (type == DType::kF16) add.operator()<scalar::F16>();
  if (type == DType::kBF16) add.operator()<scalar::BF16>();
  if (type == DType::kF32) add.operator()<scalar::F32>();
  return out;
}

// The one element of a matrix of 1 x 1 and rank 1.
uint32_t added(DType type, uint32_t base, int16_t left, int16_t right, float scale) {
  const std::vector<int32_t> packed_left = pack_left(std::array{left}, 1);
  const std::vector<int32_t> packed_right = pack_right(std::array{right}, 1);
  const LowRankProduct product = {.columns = 1,
                                  .pairs = 1,
                                  .scale = scale,
                                  .left = packed_left.data(),
                                  .right = packed_right.data(),
                                  .stride = 1 + kLowRankPadding};
  uint32_t result = 0;
  add_low_rank(type, product, 0, 1, reinterpret_cast<const std::byte*>(&base),
               reinterpret_cast<std::byte*>(&result));
  return result;
}

uint32_t bits(float value) { return std::bit_cast<uint32_t>(value); }

TEST(LowRankKernel, PacksTwoRanksIntoOneNumber) {
  const std::vector<int16_t> factors = {1, 2, -3, 4, 5, -6};  // rank 3, length 2
  EXPECT_EQ(pack_left(factors, 2),
            (std::vector<int32_t>{-3 * 65536 + 1, 5, 4 * 65536 + 2, 0xFFFA}));
  const std::vector<int32_t> right = pack_right(factors, 2);
  ASSERT_EQ(right.size(), 2 * (2 + kLowRankPadding));
  EXPECT_EQ(right[0], -3 * 65536 + 1);
  EXPECT_EQ(right[1], 4 * 65536 + 2);
  EXPECT_EQ(right[2 + kLowRankPadding], 5);
  EXPECT_EQ(right[3 + kLowRankPadding], 0xFFFA);
}

using LowRankKernelTarget = OnEveryTarget;
FINEDELTA_ON_EVERY_TARGET(LowRankKernelTarget);

TEST_P(LowRankKernelTarget, KnownValues) {
  EXPECT_EQ(added(DType::kF32, bits(1.0f), 3, -5, 0.25f), bits(-2.75f));
  EXPECT_EQ(added(DType::kF32, bits(0.0f), 3, 5, 0.25f), bits(3.75f));
  EXPECT_EQ(added(DType::kF32, bits(1.5f), 6, -1, 0.25f), bits(0.0f));  // a sum of zero is +0
  EXPECT_EQ(added(DType::kBF16, 0x3F80, 1, 1, 0x1p-9f), 0x3F80u);       // a tie goes to even
  EXPECT_EQ(added(DType::kBF16, 0x3F81, 1, 1, 0x1p-8f), 0x3F82u);
  EXPECT_EQ(added(DType::kF16, 0x3C01, 1, 1, 0x1p-11f), 0x3C02u);
  EXPECT_EQ(added(DType::kF16, 0x7BFF, 16, 1, 1.0f), 0x7C00u);  // beyond F16: infinity
  // 32767^2 = 2^30 - 2^16 + 1, rounded to 24 bits.
  EXPECT_EQ(added(DType::kF32, bits(0.0f), 32767, 32767, 1.0f), bits(1073676288.0f));
}

TEST_P(LowRankKernelTarget, NothingIsAddedToSpecialValuesNorWhereTheSumIsZero) {
  for (const uint32_t base : {0x7F80'0000u, 0xFF80'0000u, 0x7F80'0001u, 0xFFC1'2345u}) {
    EXPECT_EQ(added(DType::kF32, base, 100, 100, 1.0f), base);
    EXPECT_EQ(added(DType::kBF16, base >> 16 | 1, 100, 100, 1.0f), base >> 16 | 1);
  }
  for (const uint32_t base : {0x7C00u, 0xFC00u, 0x7C01u, 0xFE17u}) {
    EXPECT_EQ(added(DType::kF16, base, 100, 100, 1.0f), base);
  }
  for (const uint32_t base : {0x8000'0000u, 0u, 1u, 0x8000'0001u, 0x7F80'0001u, 0x3F80'0000u}) {
    EXPECT_EQ(added(DType::kF32, base, 0, 100, 1.0f), base);
  }
}

TEST_P(LowRankKernelTarget, EqualsTheScalarReferenceForEveryShapeAndRange) {
  constexpr std::array<std::array<size_t, 2>, 8> kShapes = {
      {{1, 1}, {3, 5}, {40, 1}, {9, 16}, {7, 17}, {6, 64}, {5, 131}, {4, 700}}};
  uint64_t seed = 0;
  for (const DType type : kCastableTypes) {
    for (const auto& [rows, columns] : kShapes) {
      for (const size_t rank : {1, 2, 3, 8, 33}) {
        const Matrix matrix(rows, columns, rank, 0x1.234p-20f, ++seed);
        const size_t elements = rows * columns;
        const auto base = pseudo_random_bytes(elements * dtype_unit(type), seed);
        for (const size_t first : {size_t{0}, elements / 3, elements - 1}) {
          for (const size_t count :
               {size_t{0}, size_t{1}, (elements - first) / 2, elements - first}) {
            const auto part =
                Bytes(base).subspan(first * dtype_unit(type), count * dtype_unit(type));
            std::vector<std::byte> out(part.size() + 1, std::byte{0xA5});
            add_low_rank(type, matrix.product, first, count, part.data(), out.data());
            EXPECT_EQ(out.back(), std::byte{0xA5});
            out.pop_back();
            ASSERT_EQ(out, reference(type, matrix.product, first, part))
                << dtype_name(type) << ' ' << rows << " x " << columns << ", rank " << rank
                << ", first " << first << ", count " << count;
          }
        }
      }
    }
  }
}

// Base values of every kind, as many as EMU128 has time for.
std::vector<std::byte> every_kind(DType type, float scale) {
  constexpr size_t kColumns = 1009, kRows = 250, kCount = kRows * kColumns;
  const auto samples = std::as_bytes(std::span(float_samples()));
  const Matrix matrix(kRows, kColumns, 5, scale, 7);
  std::vector<std::byte> out(kCount * dtype_unit(type));
  add_low_rank(type, matrix.product, 0, kCount, samples.data(), out.data());
  return out;
}

TEST_P(LowRankKernelTarget, TheBitsNeverChange) {
  constexpr std::array<float, 5> kScales = {0x1p-100f, 0x1.5p-50f, 0x1.8p-20f, 1.0f,
                                            0x1.FFFFFEp63f};
  constexpr std::array<std::array<uint64_t, 5>, 3> kGolden = {
      {{0xCE786BC6EDE47123, 0x3EED96F87AD82DA7, 0x35F674B0AD690DD5, 0xFBC73E17EA712A0B,
        0xB264D03C02E83C60},
       {0x75D855A92D20BA14, 0xF24D4E57C5A15BF2, 0xEC515C35D9B4C028, 0xCBAB0A944F01D4E1,
        0x63A8BB37556E5D0C},
       {0x088978075C05DC0D, 0x17501475FD278898, 0xC4B39332BB0B6DA5, 0x2102291CE27BB2CA,
        0x2DDAD94877560BB6}}};
  for (size_t t = 0; t < kCastableTypes.size(); ++t) {
    for (size_t s = 0; s < kScales.size(); ++s) {
      EXPECT_EQ(xxh3_64(every_kind(kCastableTypes[t], kScales[s])), kGolden[t][s])
          << dtype_name(kCastableTypes[t]) << ", scale " << kScales[s];
    }
  }
}

#if defined(__SSE2__)
TEST_P(LowRankKernelTarget, FlushingSubnormalNumbersChangesNothing) {
  constexpr unsigned kFlushToZero = 0x8000;
  constexpr unsigned kSubnormalsAreZero = 0x40;
  for (const DType type : kCastableTypes) {
    for (const float scale : {0x1p-100f, 0x1.8p-20f, 0x1.FFFFFEp63f}) {
      const auto expected = every_kind(type, scale);
      const unsigned before = _mm_getcsr();
      _mm_setcsr(before | kFlushToZero | kSubnormalsAreZero);
      const auto flushed = every_kind(type, scale);
      _mm_setcsr(before);
      EXPECT_TRUE(flushed == expected) << dtype_name(type) << ", scale " << scale;
    }
  }
}
#endif

}  // namespace
}  // namespace finedelta
