// Floats as leading symbols (residual.h) and the bits behind them, as many of each.
#ifndef FINEDELTA_KERNELS_TRAILING_BITS_H_
#define FINEDELTA_KERNELS_TRAILING_BITS_H_

#include <cstddef>
#include <cstdint>

#include "base/bit_stream.h"

namespace finedelta {

// Units have 1, 2 or 4 bytes; `width` is at most 23, and under the bits of a unit.

// Puts the lowest `width` bits of each of `count` values.
void put_trailing_bits(unsigned unit, const std::byte* value, size_t count, unsigned width,
                       BitSink& bits);

// The values of `count` symbols: twice how far (magnitude >> width) is below `top`, which none is
// by more than `top`, plus 1 where the sign is not the prediction's (null: where it is set). Their
// lowest bits begin at bit `at` of `bits`, behind which 8 bytes may be read.
void values_of_leading(unsigned unit, const uint8_t* symbols, size_t count, uint32_t top,
                       const std::byte* prediction, const std::byte* bits, size_t at,
                       unsigned width, std::byte* value);

}  // namespace finedelta

#endif  // FINEDELTA_KERNELS_TRAILING_BITS_H_
