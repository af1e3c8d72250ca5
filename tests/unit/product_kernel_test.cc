#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <vector>

#include "base/hash.h"
#include "kernels/product.h"
#include "kernels/product_scalar.h"
#include "unit/on_every_target.h"
#include "unit/pseudo_random.h"

namespace finedelta {
namespace {

// From -1 to 1, so different in size that the order of a sum shows.
std::vector<float> numbers(size_t count, uint64_t seed) {
  const std::vector<std::byte> bytes = pseudo_random_bytes(4 * count, seed);
  std::vector<float> numbers(count);
  for (size_t i = 0; i < count; ++i) {
    const auto random = load<uint32_t>(bytes.data() + 4 * i);
    const auto whole = static_cast<float>(static_cast<int32_t>(random));
    numbers[i] = whole * (random % 2 == 0 ? 0x1p-31f : 0x1p-44f);
  }
  return numbers;
}

struct Operands {
  std::vector<float> a;
  std::vector<float> x;
  std::vector<float> out;
  StridedMatrix matrix;
  size_t width;

  Operands(size_t rows, size_t columns, size_t row_width, bool transposed)
      : a(numbers(rows * columns, rows)),
        x(numbers(columns * row_width, columns)),
        out(numbers(rows * row_width, row_width)),
        matrix{.data = a.data(),
               .rows = rows,
               .columns = columns,
               .row_step = transposed ? 1 : columns,
               .column_step = transposed ? rows : 1},
        width(row_width) {}
};

std::vector<uint32_t> bits_of(const std::vector<float>& values) {
  std::vector<uint32_t> bits;
  for (const float value : values) bits.push_back(std::bit_cast<uint32_t>(value));
  return bits;
}

class ProductKernel : public OnEveryTarget {};

TEST_P(ProductKernel, EqualsTheReference) {
  for (const size_t rows : {1, 2, 3, 4, 5, 63, 64, 65, 130}) {
    for (const size_t columns : {1, 2, 255, 256, 257, 600}) {
      for (const size_t width : {16, 32, 48}) {
        for (const bool transposed : {false, true}) {
          Operands operands(rows, columns, width, transposed);
          std::vector<float> expected = operands.out;
          scalar::add_product(operands.matrix, operands.x.data(), width, expected.data());
          add_product(operands.matrix, operands.x.data(), width, operands.out.data());
          ASSERT_EQ(bits_of(operands.out), bits_of(expected))
              << rows << " x " << columns << " x " << width << (transposed ? ", transposed" : "");
        }
      }
    }
  }
}

TEST_P(ProductKernel, TheSameBitsEverywhere) {
  Operands operands(70, 300, 144, false);
  add_product(operands.matrix, operands.x.data(), operands.width, operands.out.data());
  EXPECT_EQ(xxh3_64(std::as_bytes(std::span(operands.out))), 778706418487808650u);
}

TEST_P(ProductKernel, NothingTimesAnythingChangesNothing) {
  Operands operands(5, 7, 16, false);
  const std::vector<float> before = operands.out;
  operands.matrix.columns = 0;
  add_product(operands.matrix, operands.x.data(), 16, operands.out.data());
  operands.matrix = {
      .data = operands.a.data(), .rows = 0, .columns = 7, .row_step = 7, .column_step = 1};
  add_product(operands.matrix, operands.x.data(), 16, operands.out.data());
  EXPECT_EQ(bits_of(operands.out), bits_of(before));
}

FINEDELTA_ON_EVERY_TARGET(ProductKernel);

}  // namespace
}  // namespace finedelta
