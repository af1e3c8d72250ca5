#include "coder/sparse/sparse.h"

#include <gmock/gmock.h>

#include "base/hash.h"

namespace finedelta {
namespace {

using testing::ElementsAre;
using Buffer = std::vector<std::byte>;

template <typename T>
Buffer buffer_of(const std::vector<T>& units) {
  const Bytes bytes = std::as_bytes(std::span(units));
  return {bytes.begin(), bytes.end()};
}

// What coder 5 stores; nothing where it does not fit.
Buffer encoded(DType dtype, const Buffer& value, const Buffer& prediction) {
  CoderScratch scratch;
  Buffer stored;
  const ChunkInput chunk{.dtype = dtype, .value = value, .prediction = prediction};
  const auto estimate = analyze_sparse(chunk, scratch);
  if (!estimate) return stored;
  encode_sparse(chunk, scratch, stored);
  EXPECT_NEAR(static_cast<double>(*estimate), static_cast<double>(stored.size()), 3);
  return stored;
}

// The example of spec.md.
TEST(Sparse, Example) {
  Buffer prediction = buffer_of(std::vector<uint16_t>(32, 0x3F80));
  std::vector<uint16_t> units(32, 0x3F80);
  units[2] = 0x3F81;
  units[5] = 0x3F7E;
  const Buffer value = buffer_of(units);
  const Buffer stored = encoded(DType::kBF16, value, prediction);
  EXPECT_EQ(to_hex(stored), "0244fcf055336f41f102350000002008");

  SparseUnits sparse;
  ASSERT_TRUE(parse_sparse(stored, 2, 32, sparse).has_value());
  EXPECT_THAT(sparse.places, ElementsAre(2, 5));
  EXPECT_THAT(sparse.differences, ElementsAre(1, UINT64_MAX - 1));
  Buffer changed;
  ASSERT_TRUE(sparse_result(sparse, 2, prediction, changed).has_value());
  EXPECT_EQ(changed, buffer_of<uint16_t>({0x3F81, 0x3F7E}));
  Buffer before;
  take_units(sparse.places, 2, prediction, before);
  EXPECT_EQ(before, buffer_of<uint16_t>({0x3F80, 0x3F80}));
  place_units(sparse.places, 2, changed, prediction);
  EXPECT_EQ(prediction, value);
}

TEST(Sparse, AnotherPredictionIsNoticedWhereItMatters) {
  std::vector<uint32_t> units(64, 7);
  const Buffer prediction = buffer_of(units);
  units[40] = 6;
  const Buffer stored = encoded(DType::kF32, buffer_of(units), prediction);
  SparseUnits sparse;
  ASSERT_TRUE(parse_sparse(stored, 4, 64, sparse).has_value());
  Buffer changed;
  Buffer other = prediction;
  other[4] ^= std::byte{1};
  EXPECT_TRUE(sparse_result(sparse, 4, other, changed).has_value());
  other[160] ^= std::byte{1};
  const Status status = sparse_result(sparse, 4, other, changed);
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().code, ErrorCode::kDamaged);
}

TEST(Sparse, TheLargestDifferences) {
  std::vector<uint8_t> bytes(200, 0);
  std::vector<uint64_t> longs(200, 0);
  const Buffer no_bytes = buffer_of(bytes);
  const Buffer no_longs = buffer_of(longs);
  bytes[10] = 128;  // as far as can be, either way
  bytes[30] = 129;
  longs[100] = ~uint64_t{0};
  longs[150] = uint64_t{1} << 63;  // likewise
  longs[151] = (uint64_t{1} << 62) + 5;
  CoderScratch scratch;
  for (const auto& [dtype, value, prediction] :
       {std::tuple(DType::kU8, buffer_of(bytes), no_bytes),
        std::tuple(DType::kU64, buffer_of(longs), no_longs)}) {
    const Buffer stored = encoded(dtype, value, prediction);
    ASSERT_FALSE(stored.empty());
    Buffer out(value.size());
    ASSERT_TRUE(decode_sparse(stored, dtype, prediction, out, scratch).has_value());
    EXPECT_EQ(out, value);
    ASSERT_TRUE(decode_sparse(stored, dtype, {}, out, scratch).has_value());
    EXPECT_EQ(out, value);
  }
}

TEST(Sparse, IsNotForManyChangesNorForNone) {
  std::vector<uint16_t> units(800, 9);
  const Buffer prediction = buffer_of(units);
  EXPECT_TRUE(encoded(DType::kBF16, prediction, prediction).empty());
  for (size_t i = 0; i < 100; ++i) ++units[i * 8];
  EXPECT_FALSE(encoded(DType::kBF16, buffer_of(units), prediction).empty());
  ++units[1];
  EXPECT_TRUE(encoded(DType::kBF16, buffer_of(units), prediction).empty());
}

}  // namespace
}  // namespace finedelta
