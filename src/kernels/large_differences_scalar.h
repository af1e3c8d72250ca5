// The scalar reference of large_differences.h.
#ifndef FINEDELTA_KERNELS_LARGE_DIFFERENCES_SCALAR_H_
#define FINEDELTA_KERNELS_LARGE_DIFFERENCES_SCALAR_H_

#include <algorithm>
#include <bit>

#include "base/bytes.h"
#include "kernels/large_differences.h"
#include "kernels/residual.h"

namespace finedelta::scalar {

// Difference i, which is large.
template <typename T>
void name_large_difference(const std::byte* differences, size_t i, uint8_t* symbols,
                           BitSink& bits) {
  const auto difference = load<T>(differences + i * sizeof(T));
  const bool negative = difference >> (8 * sizeof(T) - 1) != 0;
  const uint32_t absolute = negative ? static_cast<T>(-difference) : difference;
  const auto own = static_cast<unsigned>(std::bit_width(absolute)) - 2;
  symbols[i] = static_cast<uint8_t>(kLargeDifference + 4 * (own + 1 - kLeastLargeLog2) +
                                    2 * (absolute >> own & 1) + (negative ? 1 : 0));
  bits.put(absolute & ((uint64_t{1} << own) - 1), own);
}

template <typename T>
void name_large_differences(const std::byte* differences, size_t count, uint8_t* symbols,
                            BitSink& bits) {
  for (size_t i = 0; i < count; ++i) {
    if (symbols[i] >= kLargeDifference) name_large_difference<T>(differences, i, symbols, bits);
  }
}

// Symbols from `begin` on.
template <typename T>
size_t read_large_differences(const uint8_t* symbols, size_t begin, size_t count,
                              const std::byte* bits, size_t at, size_t end,
                              std::byte* differences) {
  for (size_t i = begin; i < count; ++i) {
    const unsigned number = symbols[i] - unsigned{kLargeDifference};
    const unsigned own = number / 4 + kLeastLargeLog2 - 1;
    const uint64_t low = load<uint64_t>(bits + at / 8) >> at % 8 & ((uint64_t{1} << own) - 1);
    at = std::min(at + own, end + 1);
    const uint32_t absolute = (2 + (number / 2 & 1)) << own | static_cast<uint32_t>(low);
    // No branch: signs are as good as random.
    const uint32_t sign = 0 - (number & 1);
    store(differences + i * sizeof(T), static_cast<T>((absolute ^ sign) - sign));
  }
  return at;
}

}  // namespace finedelta::scalar

#endif  // FINEDELTA_KERNELS_LARGE_DIFFERENCES_SCALAR_H_
