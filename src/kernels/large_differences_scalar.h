// The scalar reference of large_differences.h.
#ifndef FINEDELTA_KERNELS_LARGE_DIFFERENCES_SCALAR_H_
#define FINEDELTA_KERNELS_LARGE_DIFFERENCES_SCALAR_H_

#include <algorithm>

#include "base/bytes.h"
#include "kernels/large_differences.h"
#include "kernels/residual.h"

namespace finedelta::scalar {

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
