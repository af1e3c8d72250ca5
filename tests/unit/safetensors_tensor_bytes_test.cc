#include <gtest/gtest.h>

#include <vector>

#include "safetensors/header.h"

namespace finedelta::safetensors {
namespace {

using Shape = std::vector<uint64_t>;

TEST(TensorBytes, WholeAndPackedElements) {
  EXPECT_EQ(tensor_bytes(DType::kF64, Shape{}), 8u);
  EXPECT_EQ(tensor_bytes(DType::kBF16, Shape{3, 5}), 30u);
  EXPECT_EQ(tensor_bytes(DType::kF4, Shape{10}), 5u);
  EXPECT_EQ(tensor_bytes(DType::kF6E2M3, Shape{4, 3}), 9u);
}

TEST(TensorBytes, PartOfAByteIsNothing) {
  EXPECT_EQ(tensor_bytes(DType::kF4, Shape{}), std::nullopt);
  EXPECT_EQ(tensor_bytes(DType::kF4, Shape{9}), std::nullopt);
  EXPECT_EQ(tensor_bytes(DType::kF6E3M2, Shape{2}), std::nullopt);
}

TEST(TensorBytes, UpTo63Bits) {
  const uint64_t half = uint64_t{1} << 62;
  EXPECT_EQ(tensor_bytes(DType::kU8, Shape{2 * half - 1}), 2 * half - 1);
  EXPECT_EQ(tensor_bytes(DType::kU8, Shape{2, half}), std::nullopt);
  EXPECT_EQ(tensor_bytes(DType::kI16, Shape{half - 1}), 2 * half - 2);
  EXPECT_EQ(tensor_bytes(DType::kI16, Shape{half}), std::nullopt);
  EXPECT_EQ(tensor_bytes(DType::kC64, Shape{1, half}), std::nullopt);
  EXPECT_EQ(tensor_bytes(DType::kF4, Shape{half, 2}), half);
  EXPECT_EQ(tensor_bytes(DType::kF4, Shape{half, 4}), std::nullopt);
}

// The other dimensions must make sense even so, in whatever order they come.
TEST(TensorBytes, AZeroDimensionIsNoBytes) {
  const uint64_t large = uint64_t{1} << 40;
  EXPECT_EQ(tensor_bytes(DType::kF32, Shape{0}), 0u);
  EXPECT_EQ(tensor_bytes(DType::kF32, Shape{large, 0, 0}), 0u);
  EXPECT_EQ(tensor_bytes(DType::kF4, Shape{0, 3}), 0u);
  EXPECT_EQ(tensor_bytes(DType::kF32, Shape{0, large, large}), std::nullopt);
  EXPECT_EQ(tensor_bytes(DType::kF32, Shape{large, large, 0}), std::nullopt);
}

}  // namespace
}  // namespace finedelta::safetensors
