// Tensors into which an adapter of low rank was merged.
#ifndef FINEDELTA_TESTS_ROUNDTRIP_ADAPTERS_H_
#define FINEDELTA_TESTS_ROUNDTRIP_ADAPTERS_H_

#include <cmath>

#include "roundtrip/weights.h"

namespace finedelta {

// Numbers of -1 to 1.
inline std::vector<float> even_numbers(size_t count, uint64_t seed) {
  std::mt19937_64 engine(seed);
  std::vector<float> out(count);
  for (float& value : out) {
    value = static_cast<float>(static_cast<int32_t>(engine() >> 32)) * 0x1p-31f;
  }
  return out;
}

// The tensor, a matrix, plus the product of two narrow ones, as numbers of type `dtype`: a third of
// its own size, whatever the rank.
inline TestTensor with_adapter(const TestTensor& tensor, size_t rank, DType dtype) {
  std::vector<float> values = floats_of(tensor);
  const size_t rows = tensor.shape[0];
  const size_t columns = values.size() / rows;
  const std::vector<float> left = even_numbers(rows * rank, rank);
  const std::vector<float> right = even_numbers(columns * rank, rank + 1);
  const float scale = 0x1p-8f / std::sqrt(static_cast<float>(rank));
  for (size_t i = 0; i < rows; ++i) {
    for (size_t j = 0; j < columns; ++j) {
      float sum = 0;
      for (size_t k = 0; k < rank; ++k) sum += left[i * rank + k] * right[j * rank + k];
      values[i * columns + j] += scale * sum;
    }
  }
  return of_floats(tensor.name, dtype, tensor.shape, values);
}

// The first `count` rows of a matrix.
inline TestTensor first_rows(TestTensor tensor, uint64_t count) {
  tensor.bytes.resize(tensor.bytes.size() / tensor.shape[0] * count);
  tensor.shape[0] = count;
  return tensor;
}

// With every special number at a few places, from element `at` on.
inline TestTensor with_specials(const TestTensor& tensor, size_t at) {
  std::vector<float> values = floats_of(tensor);
  for (const uint32_t bits : {0x7FC0'0000u, 0xFF80'0001u, 0x7F80'0000u, 0xFF80'0000u, 0x0000'0001u,
                              0x8070'0000u, 0u, 0x8000'0000u, 0x7F7F'FFFFu, 0x0080'0000u}) {
    for (int repeat = 0; repeat < 3; ++repeat, at += 97) values[at] = std::bit_cast<float>(bits);
  }
  return of_floats(tensor.name, tensor.dtype, tensor.shape, values);
}

}  // namespace finedelta

#endif  // FINEDELTA_TESTS_ROUNDTRIP_ADAPTERS_H_
