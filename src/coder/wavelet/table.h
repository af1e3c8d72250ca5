// How often each symbol comes in one context, as coarsely as costs least: spec.md, "Tables".
#ifndef FINEDELTA_CODER_WAVELET_TABLE_H_
#define FINEDELTA_CODER_WAVELET_TABLE_H_

#include <array>
#include <cstdint>
#include <span>

#include "base/bit_stream.h"

namespace finedelta::wavelet {

inline constexpr unsigned kMostSymbols = 256;
inline constexpr unsigned kMostPrecision = 3;

// A symbol's level is -log2 of its share of the context, in steps of 2^-precision.
struct Table {
  unsigned size = 0;                            // one more than the highest symbol there is
  std::array<uint32_t, kMostSymbols> weight{};  // relative; 0: the symbol does not come
};

// The table of the counts that are not all 0, written to `bits`.
Table write_table(std::span<const uint32_t, kMostSymbols> counts, unsigned precision,
                  BitWriter& bits);

// Reads it; `total` (over 0) is the sum of the counts. False when it is not what is written.
bool read_table(BitReader& bits, unsigned precision, uint32_t total, Table& table);

}  // namespace finedelta::wavelet

#endif  // FINEDELTA_CODER_WAVELET_TABLE_H_
