// The codes of spec.md: those of R. F. Rice (1979) for gaps, P. Elias's gamma (1975) for
// magnitudes.
#ifndef FINEDELTA_CODER_SPARSE_CODES_H_
#define FINEDELTA_CODER_SPARSE_CODES_H_

#include <algorithm>
#include <bit>
#include <cstdint>
#include <span>

#include "base/bit_stream.h"

namespace finedelta {

inline constexpr unsigned kRiceParameterBits = 5;

struct RiceChoice {
  unsigned parameter = 0;
  uint64_t bits = 0;  // of parameter and numbers
};

inline uint64_t rice_bits(std::span<const uint64_t> numbers, unsigned parameter) {
  uint64_t bits = kRiceParameterBits;
  for (const uint64_t number : numbers) bits += (number >> parameter) + 1 + parameter;
  return bits;
}

// The best parameter is near the logarithm of the mean.
inline RiceChoice choose_rice(std::span<const uint64_t> numbers) {
  constexpr unsigned kLargest = (1u << kRiceParameterBits) - 1;
  uint64_t largest_sum = 0;
  for (const uint64_t number : numbers) {
    largest_sum += std::min(number, UINT64_MAX / std::max<uint64_t>(numbers.size(), 1));
  }
  const uint64_t mean = numbers.empty() ? 0 : largest_sum / numbers.size();
  const unsigned middle = std::min(static_cast<unsigned>(std::bit_width(mean)), kLargest);
  RiceChoice best{.parameter = middle, .bits = rice_bits(numbers, middle)};
  for (unsigned parameter = middle - std::min(middle, 2u); parameter < middle; ++parameter) {
    const uint64_t bits = rice_bits(numbers, parameter);
    if (bits < best.bits) best = {.parameter = parameter, .bits = bits};
  }
  return best;
}

// The parameter, the high parts of all numbers, their low parts.
inline void put_rice(std::span<const uint64_t> numbers, unsigned parameter, BitSink& out) {
  out.put(parameter, kRiceParameterBits);
  for (const uint64_t number : numbers) out.put_unary(number >> parameter);
  const uint64_t low = (uint64_t{1} << parameter) - 1;
  for (const uint64_t number : numbers) out.put(number & low, parameter);
}

// Of a number over 0.
inline unsigned gamma_bits(uint64_t number) {
  return 2 * static_cast<unsigned>(std::bit_width(number)) - 1;
}

inline void put_gamma(uint64_t number, BitSink& out) {
  const auto low = static_cast<unsigned>(std::bit_width(number)) - 1;
  out.put_unary(low);
  const unsigned half = low / 2;  // at most 56 bits are put at once
  out.put(number & ((uint64_t{1} << half) - 1), half);
  out.put((number & ((uint64_t{1} << low) - 1)) >> half, low - half);
}

// UINT64_MAX for what is too large.
inline uint64_t take_gamma(BitReader& in) {
  const uint64_t low = in.take_unary();
  if (low >= 64) return UINT64_MAX;
  const auto half = static_cast<unsigned>(low / 2);
  const uint64_t first = in.take(half);
  return uint64_t{1} << low | in.take(static_cast<unsigned>(low) - half) << half | first;
}

}  // namespace finedelta

#endif  // FINEDELTA_CODER_SPARSE_CODES_H_
