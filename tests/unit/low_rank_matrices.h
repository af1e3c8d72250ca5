// Matrices for tests of low-rank predictions, the same everywhere for the same seed.
#ifndef FINEDELTA_TESTS_UNIT_LOW_RANK_MATRICES_H_
#define FINEDELTA_TESTS_UNIT_LOW_RANK_MATRICES_H_

#include <bit>
#include <cstdint>
#include <cstring>
#include <random>
#include <span>
#include <vector>

#include "kernels/cast.h"
#include "predict/low_rank/matrix_pair.h"

namespace finedelta {

// Two matrices in memory, and how many elements of them were read.
struct Matrices {
  DType dtype;
  uint64_t rows;
  uint64_t columns;
  std::vector<std::byte> base;
  std::vector<std::byte> fine;
  uint64_t elements_read = 0;

  Matrices(uint64_t rows_, uint64_t columns_, const std::vector<float>& base_values,
           const std::vector<float>& fine_values, DType dtype_)
      : dtype(dtype_),
        rows(rows_),
        columns(columns_),
        base(converted(base_values)),
        fine(converted(fine_values)) {}

  std::vector<std::byte> converted(const std::vector<float>& values) const {
    const auto bytes = std::as_bytes(std::span(values));
    if (dtype == DType::kF32) return {bytes.begin(), bytes.end()};
    std::vector<std::byte> out(values.size() * dtype_unit(dtype));
    cast_elements(DType::kF32, dtype, bytes.data(), values.size(), out.data());
    return out;
  }
  ReadRows reader(const std::vector<std::byte>& from) {
    return [this, &from](uint64_t row, MutableBytes to) -> Status {
      std::memcpy(to.data(), from.data() + row * columns * dtype_unit(dtype), to.size());
      elements_read += to.size() / dtype_unit(dtype);
      return {};
    };
  }
  MatrixPair pair() { return {dtype, rows, columns, reader(fine), reader(base)}; }
};

inline std::vector<float> normal(size_t count, float deviation, uint64_t seed) {
  std::mt19937_64 engine(seed);
  std::vector<float> values(count);
  // The sum of twelve uniform numbers: std::normal_distribution differs between libraries.
  for (float& value : values) {
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += static_cast<double>(engine() >> 11) * 0x1p-53;
    value = static_cast<float>(sum) * deviation;
  }
  return values;
}

// A base whose values all types hold (nearly: F16's smallest have a larger unit), and the same with
// a matrix of low rank added.
inline Matrices with_low_rank(uint64_t rows, uint64_t columns, size_t rank, float gain,
                              DType dtype) {
  auto base = normal(rows * columns, 0.02f, 1);
  for (float& value : base) {
    value = std::bit_cast<float>(std::bit_cast<uint32_t>(value) & 0xFFFF'0000);
  }
  const auto left = normal(rank * rows, 1, 2);
  const auto right = normal(rank * columns, gain, 3);
  auto fine = base;
  for (uint64_t i = 0; i < rows; ++i) {
    for (size_t k = 0; k < rank; ++k) {
      const float factor = left[k * rows + i] / static_cast<float>(k + 1);
      for (uint64_t j = 0; j < columns; ++j)
        fine[i * columns + j] += factor * right[k * columns + j];
    }
  }
  return {rows, columns, base, fine, dtype};
}

}  // namespace finedelta

#endif  // FINEDELTA_TESTS_UNIT_LOW_RANK_MATRICES_H_
