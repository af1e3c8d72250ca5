// Differences (residual.h) that are too large for a symbol of their own.
//
// One of absolute value a >= 16, with k = floor(log2 a), has the symbol kLargeDifference + 4 (k -
// 4) + 2 x (bit k - 1 of a) + (1 if it is negative), and k - 1 bits of its own: the lowest of a.
#ifndef FINEDELTA_KERNELS_LARGE_DIFFERENCES_H_
#define FINEDELTA_KERNELS_LARGE_DIFFERENCES_H_

#include <cstddef>
#include <cstdint>

#include "base/bit_stream.h"

namespace finedelta {

inline constexpr unsigned kLeastLargeLog2 = 4;

// Of `count` differences (two's complement, `unit` bytes each: 1, 2 or 4) and their symbols: gives
// those that are kLargeDifference the symbol that they have here, and puts their bits in `bits`,
// which takes at most 8 * unit - 2 of each. kSymbolSlack behind the symbols may be touched, and
// read as many units behind the differences.
void name_large_differences(unsigned unit, const std::byte* differences, size_t count,
                            uint8_t* symbols, BitSink& bits);

// Fills `differences` (two's complement, `unit` bytes each: 1, 2 or 4) from `count` symbols, all of
// large differences of that width, and from the bits of `bits` from bit `at` on, lowest of a byte
// first. There are `end` bits; 16 bytes behind them may be read. Returns where it stopped: over
// `end` if there are too few, and then `differences` are anything. `symbols` have kSymbolSlack, and
// `differences` 64 bytes, behind them that may be touched.
size_t read_large_differences(unsigned unit, const uint8_t* symbols, size_t count,
                              const std::byte* bits, size_t at, size_t end, std::byte* differences);

}  // namespace finedelta

#endif  // FINEDELTA_KERNELS_LARGE_DIFFERENCES_H_
