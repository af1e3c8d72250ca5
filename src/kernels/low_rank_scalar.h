// The scalar reference of low_rank.h: what every vector loop has to equal.
#ifndef FINEDELTA_KERNELS_LOW_RANK_SCALAR_H_
#define FINEDELTA_KERNELS_LOW_RANK_SCALAR_H_

#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "kernels/cast_scalar.h"
#include "kernels/low_rank.h"

namespace finedelta::scalar {

inline int32_t low_rank_sum(const LowRankProduct& product, uint64_t row, size_t column) {
  int32_t sum = 0;
  for (size_t p = 0; p < product.pairs; ++p) {
    const int32_t left = product.left[row * product.pairs + p];
    const int32_t right = product.right[p * product.stride + column];
    sum += static_cast<int16_t>(left) * static_cast<int16_t>(right) + (left >> 16) * (right >> 16);
  }
  return sum;
}

// Both values are the bits of F32.
inline uint32_t add_to_base(uint32_t base, int32_t sum, float scale) {
  if (sum == 0 || (base & kF32Magnitude) >= kF32Infinity) return base;
  const float product = static_cast<float>(sum) * scale;
  return std::bit_cast<uint32_t>(std::bit_cast<float>(base) + product);
}

template <class Type>
void add_low_rank(const LowRankProduct& product, uint64_t first, size_t count,
                  const std::byte* base, std::byte* out) {
  using Bits = typename Type::Bits;
  uint64_t row = first / product.columns;
  size_t column = first % product.columns;
  for (size_t i = 0; i < count; ++i) {
    const uint32_t value = Type::widen(load<Bits>(base + i * sizeof(Bits)));
    const int32_t sum = low_rank_sum(product, row, column);
    store(out + i * sizeof(Bits), Type::narrow(add_to_base(value, sum, product.scale)));
    if (++column == product.columns) {
      column = 0;
      ++row;
    }
  }
}

}  // namespace finedelta::scalar

#endif  // FINEDELTA_KERNELS_LOW_RANK_SCALAR_H_
